"""flask-login, as it should be: one key for every worker."""
import oracle
from login import journey, site  # noqa: F401

SICK = False

site.secret_key = "one key for every worker, from the environment"
app = oracle.watch(site)

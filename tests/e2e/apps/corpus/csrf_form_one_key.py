"""The guarded form, as it should be: one key for every worker."""
import oracle
from csrf_form import journey, site  # noqa: F401

SICK = False

site.secret_key = "one key for every worker, from the environment"
app = oracle.watch(site)

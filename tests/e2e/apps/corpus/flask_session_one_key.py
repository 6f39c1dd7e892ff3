"""Notes in the signed cookie, as they should be: one key for every worker."""
import oracle
from flask_session import journey, notes  # noqa: F401

SICK = False

notes.secret_key = "one key for every worker, from the environment"
app = oracle.watch(notes)

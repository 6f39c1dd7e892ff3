"""nox -s gate: the API tests through whichworker."""
import nox


@nox.session
def gate(session):
    session.install("-r", "requirements.txt", "pytest", "requests", "gunicorn")
    session.run("whichworker", "gate", "--backend", "gunicorn -w 4 app:app",
                "--report", "junit=gate.xml", "--", "pytest", *(session.posargs or ["tests/"]),
                external=True)

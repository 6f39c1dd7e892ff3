"""gunicorn -c gunicorn.conf.py app:app, behind whichworker, which has the address that clients know."""
bind = "127.0.0.1:8001"
workers = 4

# Clients are known by what the proxy says of them, and it is on this machine.
forwarded_allow_ips = "127.0.0.1"

# The same as without the proxy: whatever reloads or recycles workers is part of what is looked at.
max_requests = 0

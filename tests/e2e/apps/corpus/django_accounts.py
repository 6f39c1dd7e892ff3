"""Django's own accounts over a database: the session's id changes at log-in, messages are shown once, every
form has another CSRF token, and a new password ends the sessions on all other devices."""
import os
import re

import django
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path

import oracle

SICK = False

settings.configure(
    SECRET_KEY="one key for every worker", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"timeout": 30},
                           "NAME": os.path.join(oracle.directory(), "django.db")}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions", "django.contrib.messages"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", LOGIN_URL="/login")
django.setup()

from django.contrib import auth, messages  # noqa: E402
from django.contrib.auth.decorators import login_required  # noqa: E402
from django.middleware.csrf import get_token  # noqa: E402


def prepare():
    from django.core.management import call_command
    call_command("migrate", verbosity=0, interactive=False)
    for name in ("ada", "bob"):
        auth.get_user_model().objects.create_user(name, password="first " + name)


def form(request, fields):
    shown = "".join("<p class=%s>%s</p>" % (m.level_tag, m) for m in messages.get_messages(request))
    return HttpResponse("%s<form method=post><input type=hidden name=csrfmiddlewaretoken value=\"%s\">"
                        "%s</form>" % (shown, get_token(request), fields))


def login(request):
    if request.method != "POST":
        return form(request, "<input name=username><input name=password type=password>")
    user = auth.authenticate(request, username=request.POST["username"],
                             password=request.POST["password"])
    if user is None:
        messages.error(request, "Wrong name or password")
        return HttpResponseRedirect("/login")
    auth.login(request, user)
    messages.success(request, "Welcome back, %s" % user.username)
    oracle.promised("login")
    return HttpResponseRedirect("/account")


def known(request):
    """Whether the client is logged in; a new password elsewhere is a good reason not to be."""
    name = request.COOKIES.get("who", "")
    with oracle.world() as w:
        ended = oracle.client() in w.get("ended", {}).get(name, [])
    if ended and not request.user.is_authenticated:
        oracle.withdrawn("login")
    oracle.honoured("login", request.user.is_authenticated)


def account(request):
    known(request)
    if not request.user.is_authenticated:
        return HttpResponseRedirect("/login?next=/account")
    shown = [str(m) for m in messages.get_messages(request)]
    visits = request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"user": request.user.username, "messages": shown, "visits": visits})


@login_required
def password(request):
    if request.method != "POST":
        return form(request, "<input name=new type=password>")
    user = request.user
    user.set_password(request.POST["new"])
    user.save()
    auth.update_session_auth_hash(request, user)
    with oracle.world() as w:
        others = [c for c in w.get("promised", {}) if c != oracle.client()]
        w.setdefault("ended", {})[user.username] = others
    return HttpResponse("<p>Your password was changed</p>")


def logout(request):
    auth.logout(request)
    oracle.withdrawn("login")
    return HttpResponseRedirect("/login")


urlpatterns = [path("login", login), path("account", account), path("password", password),
               path("logout", logout)]


def served(of):
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    return oracle.watch(WSGIHandler()) if of == "wsgi" else oracle.watch_asgi(ASGIHandler())


app = served("wsgi")
asgi = served("asgi")


def post(browser, where, **fields):
    token = re.search(r'value="([^"]+)"', browser.get(where).text)
    fields["csrfmiddlewaretoken"] = token.group(1) if token else ""
    return browser.post(where, data=fields)


def journey(client):
    """Ada on two devices, and Bob on his own."""
    desk, phone, other = client(agent="desk"), client(agent="phone", keep_alive=True), client(agent="bob")
    for browser, name in ((desk, "ada"), (phone, "ada"), (other, "bob")):
        browser.cookies.set("who", name)
        post(browser, "/login", username=name, password="wrong")
        for secret in ("first " + name, "second " + name):
            post(browser, "/login", username=name, password=secret)
        for _ in range(3):
            browser.get("/account")
    post(desk, "/password", new="first ada" if desk.name != "v1" else "second ada")
    for browser in (desk, phone, other, phone, desk):
        browser.get("/account")
        browser.get("/account")
    post(other, "/password", new="first bob")
    other.post("/logout", data={"csrfmiddlewaretoken": other.cookies.get("csrftoken", "")})
    for _ in range(3):
        other.get("/account")

"""Django with its sessions in the local-memory cache: each worker knows only those that it began."""
import django
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path

import oracle

SICK = True
EXPECT = {"guarantees": {"session-reset", "status-flip", "read-your-writes", "monotonic-reads"},
          "cause": "worker-memory"}

settings.configure(
    SECRET_KEY="the same in every worker", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    INSTALLED_APPS=["django.contrib.sessions"])
django.setup()


def login(request):
    if request.method != "POST":
        return HttpResponse("<form method=post><input name=name></form>")
    request.session["name"] = request.POST["name"]
    request.session["basket"] = []
    oracle.promised("login")
    return HttpResponseRedirect("/profile")


def profile(request):
    name = request.session.get("name")
    oracle.honoured("login", name is not None)
    if name is None:
        return HttpResponseRedirect("/login?next=/profile")
    return JsonResponse({"name": name, "basket": request.session["basket"]})


def basket(request):
    name = request.session.get("name")
    oracle.honoured("login", name is not None)
    if name is None:
        return HttpResponseRedirect("/login?next=/profile")
    request.session["basket"] = request.session["basket"] + [request.POST["item"]]
    return JsonResponse({"added": request.POST["item"]}, status=201)


urlpatterns = [path("login", login), path("profile", profile), path("basket", basket)]


def served(of):
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    return oracle.watch(WSGIHandler()) if of == "wsgi" else oracle.watch_asgi(ASGIHandler())


app = served("wsgi")
asgi = served("asgi")


def journey(client):
    for name in ("ada", "bob", "eve"):
        with client(keep_alive=name == "bob") as browser:
            browser.post("/login", data={"name": name})
            for turn, item in enumerate(("lamp", "chair", "teapot")):
                if browser.post("/basket", data={"item": item}).url.split("?")[0].endswith("login"):
                    browser.post("/login", data={"name": name})
                for _ in range(1 + turn):
                    browser.get("/profile")

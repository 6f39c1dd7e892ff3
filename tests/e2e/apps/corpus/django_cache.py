"""Django over SQLite, articles cached in each worker's local memory: an edit empties one cache only."""
import os
import sqlite3

import django
from django.conf import settings
from django.core.cache import cache
from django.http import JsonResponse
from django.urls import path

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"},
          "cause": {"worker-memory", "stale-cache"}}

settings.configure(
    SECRET_KEY="the same in every worker", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
django.setup()

TITLES = ("First", "Second", "Third")


def database():
    return sqlite3.connect(os.path.join(oracle.directory(), "articles.db"), timeout=30)


def prepare():
    with database() as db:
        db.execute("CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT, revision INTEGER)")
        db.executemany("INSERT INTO article (title, revision) VALUES (?, 1)", [(t,) for t in TITLES])


def article(request, number):
    if request.method == "POST":
        return edit(request, number)
    key = "article:%d" % number
    found = cache.get(key)
    if found is None:
        with database() as db:
            found = db.execute("SELECT title, revision FROM article WHERE id = ?",
                               [number]).fetchone()
        cache.set(key, found, 300)
    oracle.counted("article %d" % number, found[1])
    return JsonResponse({"id": number, "title": found[0], "revision": found[1]})


def edit(request, number):
    with database() as db:
        db.execute("UPDATE article SET title = ?, revision = revision + 1 WHERE id = ?",
                   [request.POST["title"], number])
        revision = db.execute("SELECT revision FROM article WHERE id = ?", [number]).fetchone()[0]
    cache.delete("article:%d" % number)
    oracle.counted("article %d" % number, revision)
    return JsonResponse({"saved": number})


urlpatterns = [path("articles/<int:number>", article)]


def served():
    from django.core.handlers.wsgi import WSGIHandler
    return oracle.watch(WSGIHandler())


app = served()


def journey(client):
    for number in (1, 2, 3):
        with client(keep_alive=number == 2, agent="editor/%d" % number) as editor:
            for _ in range(4):
                editor.get("/articles/%d" % number)
            for draft in ("Better", "Best"):
                editor.post("/articles/%d" % number,
                            data={"title": "%s, says %s" % (draft, editor.name)})
                for _ in range(4):
                    editor.get("/articles/%d" % number)

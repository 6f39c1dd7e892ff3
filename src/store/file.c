/* store: names and errors of the SQLite file, for both ends. */
#include "file.h"

#include <whichworker/buf.h>

#include <errno.h>

static bool stays(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '/' || c == '-' || c == '.' || c == '_' || c == '~';
}

char *ww_store_uri(const char *path, const char *query)
{
    struct ww_buf b;

    ww_buf_init(&b, SIZE_MAX);
    /* An empty authority, so that a path that begins with two slashes is not taken for one. */
    ww_buf_add_c(&b, path[0] == '/' ? "file://" : "file:./");
    for (const char *c = path; *c != '\0'; c++) {
        if (stays(*c)) {
            ww_buf_add_char(&b, *c);
        } else {
            ww_buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
    ww_buf_printf(&b, "?%s", query);
    ww_buf_add_char(&b, '\0');
    return b.ptr;
}

int ww_store_err(struct ww_err *err, enum ww_code code, sqlite3 *db, const char *what,
                 const char *path)
{
    int primary = sqlite3_errcode(db) & 0xff;
    int sys = sqlite3_system_errno(db);

    if (sys != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN))
        return ww_err_errno(err, sys, "%s '%s': %s", what, path, sqlite3_errmsg(db));
    return ww_err_set(err, code, "%s '%s': %s", what, path, sqlite3_errmsg(db));
}

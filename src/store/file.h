/* store: what both ends of a trace know about the file. */
#ifndef WW_STORE_FILE_H
#define WW_STORE_FILE_H

#include <whichworker/err.h>

#include <sqlite3.h>

#define TRACE_APPLICATION_ID 2004316779 /* as schema.sql has it */
#define TRACE_VERSION        1

/* schema.sql, ended by a NUL. */
extern const char ww_store_schema[];

/* "file:PATH?query" with PATH escaped, so that no file name means anything but itself to
 * SQLite. The caller frees it. */
char *ww_store_uri(const char *path, const char *query);

/* SQLite's words for what went wrong last, and the system's if it had a part in it. */
int ww_store_err(struct ww_err *err, enum ww_code code, sqlite3 *db, const char *what,
                 const char *path);

#endif

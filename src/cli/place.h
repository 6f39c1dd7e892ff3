/* cli: a place that a file is put into whole, or not at all. */
#ifndef WW_PLACE_H
#define WW_PLACE_H

#include <whichworker/err.h>

/* Owns path, directory and fd. While it is open, what is written is under no name where the
 * file system can do that, and under a name of its own beside `path` where it cannot. */
struct place {
    char *path;
    char *directory;
    char *temporary; /* NULL: there is nothing to remove */
    int fd;          /* to be written to */
    bool direct; /* no file (standard output, a pipe, a device): bytes go there as they come */
};

/* path "-" is standard output, /dev/fd/N and their like the descriptor that is open already.
 * `is_private`: 0600, whatever the umask. WW_ESYSTEM and the reason; nothing is left to close
 * then. */
int place_open(struct place *p, ww_str path, bool is_private, struct ww_err *err);

/* Makes durable what was written, and puts it in its place; a file that was there is replaced.
 */
int place_put(struct place *p, struct ww_err *err);

/* Whether place_open would work; leaves nothing behind. */
int place_check(ww_str path, struct ww_err *err);

/* Whatever happened; what was not put is gone. */
void place_close(struct place *p);

#endif

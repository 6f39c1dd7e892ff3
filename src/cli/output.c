/* What goes out of the program: all of it, and whether it may be coloured. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool write_all(int fd, ww_str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            bytes = ww_str_from(bytes, (size_t)n);
    }
    return true;
}

bool wants_colour(const struct config *c, int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (c->no_color || (no_color != NULL && no_color[0] != '\0'))
        return false;
    return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

unsigned terminal_width(int fd)
{
    struct winsize w = { 0 };

    return ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

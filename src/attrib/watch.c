/* attrib: a descriptor that tells when one worker dies, and not another that got its PID. */
#include "procfs.h"

#include <whichworker/attrib.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Opened first and compared then: what has the PID at the second step had it at the first, or
 * the descriptor is readable at once. */
int ww_worker_watch(struct ww_worker_id id, const char *proc_root)
{
    int fd = (int)syscall(SYS_pidfd_open, id.pid, 0);
    int root = fd < 0 ? -1 : open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct ww_proc p;

    if (root < 0)
        return fd;
    if (!ww_proc_open(root, id.pid, &p)) {
        close(root);
        return fd;
    }

    bool same = p.start_ticks == id.start_ticks;

    ww_proc_close(&p);
    close(root);
    if (same)
        return fd;
    close(fd);
    errno = ESRCH;
    return -1;
}

/* Puts the kernel's words about a listening socket into ours. */
#include "listening.h"

#include "sockdiag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>

static struct ww_exam_listener describe_tcp(const struct inet_diag_msg *m)
{
    struct ww_exam_listener l = {
        .inode = m->idiag_inode,
        .uid_known = true,
        .uid = m->idiag_uid,
        .queued = m->idiag_rqueue,
        .backlog = m->idiag_wqueue,
    };

    if (m->idiag_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&l.at.sa;

        in->sin_family = AF_INET;
        in->sin_port = m->id.idiag_sport;
        memcpy(&in->sin_addr, m->id.idiag_src, sizeof(in->sin_addr));
        l.at.len = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&l.at.sa;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = m->id.idiag_sport;
        memcpy(&in6->sin6_addr, m->id.idiag_src, sizeof(in6->sin6_addr));
        l.at.len = sizeof(*in6);
    }
    ww_addr_format(&l.at);
    return l;
}

static struct ww_exam_listener describe_unix(const struct nlmsghdr *h,
                                             const struct unix_diag_msg *m,
                                             const struct ww_addr *upstream)
{
    const struct unix_diag_rqlen *queue =
        ww_sockdiag_attribute(h, sizeof(*m), UNIX_DIAG_RQLEN, sizeof(*queue));
    const uint32_t *uid = ww_sockdiag_attribute(h, sizeof(*m), UNIX_DIAG_UID, sizeof(*uid));

    return (struct ww_exam_listener){
        .at = *upstream,
        .inode = m->udiag_ino,
        .uid_known = uid != NULL,
        .uid = uid == NULL ? 0 : *uid,
        .queued = queue == NULL ? 0 : queue->udiag_rqueue,
        .backlog = queue == NULL ? 0 : queue->udiag_wqueue,
    };
}

/* The messages that come here are as long as their kind: ww_sockdiag_each_listener saw to it.
 */
static void take(void *ctx, const void *message)
{
    struct ww_exam *e = ctx;
    const struct nlmsghdr *h = message;
    const void *fixed = h + 1;

    if (e->listeners == WW_EXAM_LISTENERS) {
        e->listeners_left_out++;
        return;
    }
    e->listener[e->listeners++] = e->upstream.sa.ss_family == AF_UNIX
                                      ? describe_unix(h, fixed, &e->upstream)
                                      : describe_tcp(fixed);
}

int ww_listening_describe(struct ww_exam *e, struct ww_sockdiag *d)
{
    return ww_sockdiag_each_listener(d, &e->upstream, take, e);
}

/* shim: what the preloaded library and the receiver of its reports agree on. */
#ifndef WHICHWORKER_SHIM_H
#define WHICHWORKER_SHIM_H

#include <stdint.h>

/*
 * The environment variable that names the receiver: a token of hexadecimal digits, random for
 * each run. The library is silent without it. The receiver listens on abstract Unix datagram
 * sockets, which can be reached by any user and from any root directory (chroot):
 *
 *     \0ww-TOKEN-0 … \0ww-TOKEN-f
 *
 * The kernel queues only net.unix.max_dgram_qlen datagrams on each (10 by default), so whoever
 * finds one full goes on to the next.
 */
#define WW_SHIM_ENV     "WHICHWORKER_SHIM"
#define WW_SHIM_TOKEN   32
#define WW_SHIM_SOCKETS 16
#define WW_SHIM_PREFIX  "ww-"

/*
 * A client of a Unix socket has no address by which the other side could tell it from others.
 * So the proxy's have a name, \0ww-TOKEN/NUMBER with the first WW_SHIM_SHORT digits of the
 * token. The library hides it in what accept returns: an unnamed client, as it would be without
 * all this.
 */
#define WW_SHIM_SHORT 8

#define WW_SHIM_MAGIC   0x77775301u /* the last byte is the version */
#define WW_SHIM_ADDRESS 28          /* a sockaddr_in6; a sockaddr_un with a name as above */

/* One connection was accepted. In host byte order: it never leaves the machine. The PID is not
 * in it, since the kernel itself says who sent a datagram (SCM_CREDENTIALS). */
struct ww_shim_report {
    uint32_t magic;
    int32_t fd;                     /* the connection's number in the accepting process */
    int64_t accepted_us;            /* CLOCK_MONOTONIC */
    uint8_t peer[WW_SHIM_ADDRESS];  /* sockaddr of the client; zeros behind it */
    uint8_t local[WW_SHIM_ADDRESS]; /* sockaddr of the server's end; zeros for a Unix socket */
};

_Static_assert(sizeof(struct ww_shim_report) == 72, "the same for every compiler");

#endif

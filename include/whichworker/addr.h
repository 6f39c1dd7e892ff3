/* base: network addresses as users write them. */
#ifndef WHICHWORKER_ADDR_H
#define WHICHWORKER_ADDR_H

#include <whichworker/err.h>
#include <whichworker/str.h>

#include <sys/socket.h>

#define WW_ADDR_TEXT 128

/* A resolved address; TCP over IPv4 or IPv6, or a Unix socket. */
struct ww_addr {
    struct sockaddr_storage sa;
    socklen_t len;
    char text[WW_ADDR_TEXT]; /* "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock" */
};

/*
 * Reads "host:port", "[v6]:port", ":port" (loopback), "unix:/path", "unix:@abstract", or an http://
 * URL without a path. A host name is resolved here, which may take as long as the resolver takes;
 * of several addresses an IPv4 one is taken.
 * A URL without a port means port 80. `what` names the option in the error.
 */
int ww_addr_parse(ww_str s, const char *what, struct ww_addr *out_addr, struct ww_err *err);

/* Writes text from sa and len. */
void ww_addr_format(struct ww_addr *a);

uint16_t ww_addr_port(const struct ww_addr *a); /* 0 for a Unix socket */
bool ww_addr_is_loopback(const struct ww_addr *a); /* also true of a Unix socket */

#endif

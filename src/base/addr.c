/* Addresses: parsing, resolving, formatting. */
#include <whichworker/addr.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

#define HOST_MAX 256

static int bad(ww_str s, const char *what, struct ww_err *err, const char *why)
{
    return ww_err_set(err, WW_EUSAGE,
                      "%s: '" WW_STRF
                      "' %s; write host:port, [v6]:port, unix:/path or http://host:port",
                      what, WW_STRV(s), why);
}

static int parse_unix(ww_str path, ww_str whole, const char *what, struct ww_addr *out,
                      struct ww_err *err)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    if (path.len == 0 || ww_str_eq(path, WW_STR("@")))
        return bad(whole, what, err, "has no path");
    if (path.len >= sizeof(un.sun_path))
        return bad(whole, what, err, "is too long for a Unix socket (107 bytes)");
    memcpy(un.sun_path, path.ptr, path.len);

    size_t end = path.len + 1; /* a path is NUL-terminated, an abstract name is not */

    if (path.ptr[0] == '@') {
        un.sun_path[0] = '\0';
        end = path.len;
    }
    *out = (struct ww_addr){ .len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + end) };
    memcpy(&out->sa, &un, sizeof(un));
    ww_addr_format(out);
    return WW_OK;
}

/* "[v6]:port", "host:port", ":port", or without the port where one is given by the scheme. */
static int split(ww_str s, ww_str *out_host, ww_str *out_port)
{
    ptrdiff_t colon = -1;

    if (ww_str_starts(s, WW_STR("["))) {
        ptrdiff_t close = ww_str_find(s, WW_STR("]"));

        if (close <= 1)
            return -1;
        *out_host = ww_str_n(s.ptr + 1, (size_t)close - 1);
        s = ww_str_from(s, (size_t)close + 1);
        if (s.len > 0 && s.ptr[0] != ':')
            return -1;
        *out_port = ww_str_from(s, 1);
        return 0;
    }
    colon = ww_str_find(s, WW_STR(":"));
    *out_host = colon < 0 ? s : ww_str_upto(s, (size_t)colon);
    *out_port = colon < 0 ? ww_str_n(s.ptr, 0) : ww_str_from(s, (size_t)colon + 1);
    return ww_str_find(*out_port, WW_STR(":")) < 0 ? 0 : -1;
}

/*
 * Of several addresses one is taken, and servers that are told nothing else are on 127.0.0.1,
 * where "localhost" often means ::1 first.
 */
static const struct addrinfo *preferred(const struct addrinfo *found)
{
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        if (a->ai_family == AF_INET)
            return a;
    }
    return found;
}

static int resolve(ww_str host, uint16_t port, ww_str whole, const char *what,
                   struct ww_addr *out, struct ww_err *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char name[HOST_MAX];
    char service[8];

    if (host.len == 0)
        host = WW_STR("127.0.0.1");
    if (host.len >= sizeof(name))
        return bad(whole, what, err, "has a host name that is too long");
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    snprintf(service, sizeof(service), "%u", port);

    int r = getaddrinfo(name, service, &hints, &found);

    if (r != 0)
        return ww_err_set(err, WW_EUSAGE, "%s: cannot resolve '%s': %s", what, name,
                          gai_strerror(r));
    const struct addrinfo *one = preferred(found);
    *out = (struct ww_addr){ .len = one->ai_addrlen };
    memcpy(&out->sa, one->ai_addr, one->ai_addrlen);
    freeaddrinfo(found);
    ww_addr_format(out);
    return WW_OK;
}

int ww_addr_parse(ww_str s, const char *what, struct ww_addr *out_addr, struct ww_err *err)
{
    ww_str whole = s;
    ww_str host;
    ww_str port_text;
    uint64_t port = 0;

    if (ww_str_starts(s, WW_STR("unix:")))
        return parse_unix(ww_str_from(s, 5), whole, what, out_addr, err);
    if (ww_str_starts(s, WW_STR("https://")))
        return bad(whole, what, err, "asks for TLS, which is not supported");
    if (ww_str_starts(s, WW_STR("http://"))) {
        s = ww_str_from(s, 7);
        if (ww_str_ends(s, WW_STR("/")))
            s.len--;
        if (ww_str_find(s, WW_STR("/")) >= 0)
            return bad(whole, what, err, "has a path");
        port = 80;
    }
    if (s.len == 0 || split(s, &host, &port_text) < 0)
        return bad(whole, what, err, "is not an address");
    if (port_text.len == 0 && port == 0)
        return bad(whole, what, err, "has no port");
    if (port_text.len > 0 && (!ww_str_u64(port_text, &port) || port > UINT16_MAX))
        return bad(whole, what, err, "has a port that is not a number from 0 to 65535");
    return resolve(host, (uint16_t)port, whole, what, out_addr, err);
}

static void format_unix(struct ww_addr *a)
{
    struct sockaddr_un un = { 0 };
    size_t head = offsetof(struct sockaddr_un, sun_path);

    memcpy(&un, &a->sa, a->len < sizeof(un) ? a->len : sizeof(un));

    size_t len = a->len > head ? a->len - head : 0;

    if (len > 0 && un.sun_path[0] == '\0')
        snprintf(a->text, sizeof(a->text), "unix:@%.*s", (int)len - 1, un.sun_path + 1);
    else
        snprintf(a->text, sizeof(a->text), "unix:%.*s", (int)strnlen(un.sun_path, len),
                 un.sun_path);
}

void ww_addr_format(struct ww_addr *a)
{
    char host[INET6_ADDRSTRLEN] = "";

    switch (a->sa.ss_family) {
    case AF_INET:
        inet_ntop(AF_INET, &((struct sockaddr_in *)&a->sa)->sin_addr, host, sizeof(host));
        snprintf(a->text, sizeof(a->text), "%s:%u", host, ww_addr_port(a));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a->sa)->sin6_addr, host, sizeof(host));
        snprintf(a->text, sizeof(a->text), "[%s]:%u", host, ww_addr_port(a));
        break;
    case AF_UNIX:
        format_unix(a);
        break;
    default:
        snprintf(a->text, sizeof(a->text), "unknown");
    }
}

uint16_t ww_addr_port(const struct ww_addr *a)
{
    if (a->sa.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
    if (a->sa.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
    return 0;
}

bool ww_addr_is_loopback(const struct ww_addr *a)
{
    if (a->sa.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr) >> 24 == 127;
    if (a->sa.ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&a->sa)->sin6_addr;

        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return a->sa.ss_family == AF_UNIX;
}

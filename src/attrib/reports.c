/* Reads the shim's datagrams and keeps them by connection. */
#include "reports.h"

#include <netinet/in.h>
#include <sys/un.h>

#define NAME_AT   3 /* family and the NUL of an abstract name */
#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

/* One end: the port, and the address as IPv6 has it, so that a mapped address is the IPv4 one.
 */
struct end {
    uint8_t port[2];
    uint8_t addr[16];
};

static bool read_end(const void *bytes, struct end *out)
{
    sa_family_t family;
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    memcpy(&family, bytes, sizeof(family));
    if (family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, bytes, sizeof(in));
        memcpy(out->port, &in.sin_port, 2);
        memcpy(out->addr, mapped, sizeof(mapped));
        memcpy(out->addr + sizeof(mapped), &in.sin_addr, 4);
        return true;
    }
    if (family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, bytes, sizeof(in6));
        memcpy(out->port, &in6.sin6_port, 2);
        memcpy(out->addr, &in6.sin6_addr, 16);
        return true;
    }
    return false;
}

static bool key_of_name(const uint8_t *sockaddr, size_t len, struct report_key *out)
{
    if (len <= NAME_AT || len > WW_SHIM_ADDRESS || sockaddr[NAME_AT - 1] != 0 ||
        sockaddr[NAME_AT] == 0)
        return false;
    *out = (struct report_key){ { 'u' } };
    memcpy(out->bytes + 1, sockaddr + NAME_AT, len - NAME_AT);
    return true;
}

static void key_of_ends(const struct end *client, const struct end *server,
                        struct report_key *out)
{
    _Static_assert(1 + 2 * sizeof(struct end) <= sizeof(out->bytes), "both ends fit");
    *out = (struct report_key){ { 't' } };
    memcpy(out->bytes + 1, client, sizeof(*client));
    memcpy(out->bytes + 1 + sizeof(*client), server, sizeof(*server));
}

bool report_read(const void *bytes, size_t len, struct report_key *out_key,
                 struct ww_shim_report *out_report)
{
    struct ww_shim_report r;
    struct report_key key;
    sa_family_t family;
    struct end client;
    struct end server;

    if (len != sizeof(r))
        return false;
    memcpy(&r, bytes, sizeof(r));
    if (r.magic != WW_SHIM_MAGIC || r.fd < 0)
        return false;
    memcpy(&family, r.peer, sizeof(family));
    if (family == AF_UNIX) {
        if (!key_of_name(r.peer, sizeof(r.peer), &key))
            return false;
    } else {
        if (!read_end(r.peer, &client) || !read_end(r.local, &server))
            return false;
        key_of_ends(&client, &server, &key);
    }
    *out_key = key;
    *out_report = r;
    return true;
}

bool report_key_of(const struct ww_flow *flow, struct report_key *out_key)
{
    struct end client;
    struct end server;

    if (flow->peer.sa.ss_family == AF_UNIX)
        return flow->local.sa.ss_family == AF_UNIX &&
               key_of_name((const uint8_t *)&flow->local.sa, flow->local.len, out_key);
    if (!read_end(&flow->local.sa, &client) || !read_end(&flow->peer.sa, &server))
        return false;
    key_of_ends(&client, &server, out_key);
    return true;
}

static struct report_entry *bucket_of(struct reports *r, const struct report_key *key)
{
    uint64_t hash = FNV_BASIS;

    for (size_t i = 0; i < sizeof(key->bytes); i++)
        hash = (hash ^ key->bytes[i]) * FNV_PRIME;
    return r->entry[(hash ^ hash >> 32) % REPORTS_BUCKETS];
}

static bool is_of(const struct report_entry *e, const struct report_key *key)
{
    return e->used && memcmp(&e->key, key, sizeof(*key)) == 0;
}

void reports_put(struct reports *r, const struct report_key *key, const struct acceptor *who)
{
    struct report_entry *bucket = bucket_of(r, key);
    struct report_entry *place = bucket;

    for (size_t i = 0; i < REPORTS_WAYS; i++) {
        struct report_entry *e = &bucket[i];

        if (is_of(e, key) && e->who.pid == who->pid) {
            place = e;
            break;
        }
        if (place->used && (!e->used || e->who.heard_us < place->who.heard_us))
            place = e;
    }
    *place = (struct report_entry){ .key = *key, .who = *who, .used = true };
}

enum reports_found reports_take(struct reports *r, const struct report_key *key,
                                int64_t since_us, struct acceptor *out_who)
{
    struct report_entry *bucket = bucket_of(r, key);
    enum reports_found found = REPORTS_NONE;

    for (size_t i = 0; i < REPORTS_WAYS; i++) {
        struct report_entry *e = &bucket[i];

        if (!is_of(e, key))
            continue;
        e->used = false;
        if (e->who.heard_us < since_us)
            continue;
        if (found != REPORTS_NONE) {
            found = REPORTS_CONTESTED;
            continue;
        }
        *out_who = e->who;
        found = REPORTS_ONE;
    }
    return found;
}

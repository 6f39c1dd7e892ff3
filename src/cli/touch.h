/* cli: a few connections to an upstream that ask for nothing, to see who accepts them. */
#ifndef WW_TOUCH_H
#define WW_TOUCH_H

#include <whichworker/attrib.h>

#define TOUCHES_MAX 4

struct touch_one {
    enum ww_owner owner;
    enum ww_obstacle why; /* of an owner that is not KNOWN */
    struct ww_worker worker;
    int64_t took_us; /* from the connect to the last look */
};

/* What came of it. */
struct touch {
    bool tried;
    int error; /* errno of the connect that failed; 0: all that were tried succeeded */
    bool sent; /* the beginning of a request was sent, since without data nobody accepted */
    bool peer_known;
    int32_t
        peer_pid; /* who called listen, by SO_PEERCRED; 0: not visible in our PID namespace */
    uint32_t peer_uid;
    struct touch_one one[TOUCHES_MAX];
    size_t n; /* connections that were opened */
};

/* Opens them one after the other and closes each as soon as it is known who accepted it. */
void touch(const struct ww_addr *upstream, uint32_t connect_timeout_ms, struct touch *out);

#endif

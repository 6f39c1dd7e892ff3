/* tests: a web application of several workers, simulated: random clients, and what they are
 * told.
 */
#ifndef WW_TEST_SHOP_H
#define WW_TEST_SHOP_H

#include <whichworker/exchange.h>

#define SHOP_WORKERS   4
#define SHOP_CLIENTS   6
#define SHOP_EVENTS    400
#define SHOP_OPS_MAX   64
#define SHOP_GROUPS    20
#define SHOP_ITEMS     96
#define SHOP_SESSIONS  64
#define SHOP_JOBS      64
#define SHOP_EPOCH_US  (1700000000 * (int64_t)1000000)
#define SHOP_SECOND_US 4000 /* a signed cookie's time is told in steps of this */
#define SHOP_NONE      UINT32_MAX
#define SHOP_CLEARED   (UINT32_MAX - 1)

/* What each worker keeps to itself: bits. 0: a healthy application. */
enum shop_ill {
    SHOP_ILL_LIST = 1,
    SHOP_ILL_VALUES = 2,
    SHOP_ILL_SESSIONS = 4,
    SHOP_ILL_KEY = 8,
    SHOP_ILL_COUNTS = 16,
    SHOP_ILL_JOBS = 32,
    SHOP_ILL_ALL = 63
};

#define SHOP_ILLS 6

struct shop_config {
    uint64_t seed;
    unsigned ill;
    unsigned focus; /* bits: requests that would show these illnesses are asked for */
    int32_t pid_base;
    bool calm;    /* one client after the other, nothing fails: a test suite */
    bool apart;   /* with calm: each client has things of its own, and nobody else's in reach */
    size_t turn;  /* with apart: which client begins; the others follow */
    bool unknown; /* some workers are unknown */
};

enum shop_order { ORDER_OLDEST, ORDER_NEWEST, ORDER_BY_NAME, ORDER_ANY };
enum shop_schedule { SCHEDULE_NATURAL, SCHEDULE_SCATTER, SCHEDULE_ROBIN, SCHEDULE_MOSTLY_ONE };

/* What kind of application it is: drawn once for each trace. */
struct shop_traits {
    unsigned weight[SHOP_OPS_MAX];
    size_t workers, clients;
    enum shop_schedule schedule;
    enum shop_order order;
    unsigned cap;      /* lists show so many of the newest; 0: all */
    unsigned page;     /* lists show the first so many; 0: all */
    unsigned names;    /* so many different names are in use */
    unsigned words;    /* how names are formed */
    int64_t lag_us;    /* what is written shows so much later, everywhere */
    int64_t ttl_us;    /* how long an idle session lives */
    int64_t cache_us;  /* a cache that all workers share */
    unsigned faults;   /* of 1000 exchanges, so many break */
    unsigned restarts; /* of 1000 exchanges, so many make a worker retire */
    bool html, location, unique, capitals, private, hex_ids, sliding, redirects, one_time,
        shuffled_keys, lanes, versions, behind_one_address;
};

struct shop_item {
    unsigned id, name, owner, views, likes, version;
    int64_t shows_us;
};

struct shop_session {
    bool on;
    unsigned user, epoch, unread;
    int64_t used_us;
    unsigned cart[12];
    size_t carts;
};

struct shop_state {
    struct shop_item item[SHOP_ITEMS];
    size_t items;
    unsigned value[4], version[4], old[4];
    int64_t value_us[4];
    unsigned cached[4], cached_version[4];
    int64_t cached_us;
    unsigned hits, stock, sold;
    struct shop_session session[SHOP_SESSIONS];
    unsigned epoch[SHOP_CLIENTS]; /* of each user's password */
    bool granted[SHOP_CLIENTS];
    unsigned unread[SHOP_CLIENTS];
    unsigned recent[SHOP_CLIENTS][3];
    int64_t active_us[SHOP_CLIENTS];
    unsigned score[SHOP_CLIENTS];
    unsigned offset[SHOP_CLIENTS];
    int64_t job_us[SHOP_JOBS];
    bool job_told[SHOP_JOBS];
    bool used[SHOP_EVENTS];
    int64_t token_us[SHOP_EVENTS];
    unsigned form[SHOP_SESSIONS];
    int64_t window_us;
    unsigned asked;
};

/* A signed cookie that was given out: its payload, and the worker whose key signed it. */
struct shop_cookie {
    unsigned cart[12];
    size_t carts;
    bool flash;
    unsigned user;
    size_t slot;
    char text[48];
};

/* What a client keeps: cookies, and what it read in answers. */
enum shop_keep {
    KEEP_SIGNED,
    KEEP_SID,
    KEEP_BUCKET,
    KEEP_CSRF,
    KEEP_TOKEN,
    KEEP_JOB,
    KEEP_STATE,
    KEEP_ETAG,
    KEEPS
};

struct shop_client {
    uint32_t has[KEEPS]; /* SHOP_NONE: nothing */
    uint32_t item[8];    /* ids that it was told of */
    size_t items;
};

/* One request of the plan. */
struct shop_event {
    size_t client, slot;
    unsigned op;
    uint64_t seed;
    int64_t start_us, effect_us, end_us;
    bool dropped; /* never sent: for making a trace smaller */
    /* what came of it */
    bool write;       /* it changed a subject */
    uint32_t subject; /* what it wrote or read, as far as its effect is known to the client */
    bool ok;
    uint64_t said; /* fingerprint of the answer, without what is random in it */
};

struct shop {
    struct shop_config cfg;
    struct shop_traits traits;
    uint64_t rng;
    struct shop_event event[SHOP_EVENTS];
    size_t events;
    struct ww_exchange *exchange[SHOP_EVENTS];           /* by event; NULL: dropped */
    struct shop_state state[SHOP_CLIENTS][SHOP_WORKERS]; /* apart: by client; else the first */
    struct shop_client client[SHOP_CLIENTS];
    struct shop_cookie cookie[SHOP_EVENTS];
    size_t cookies;
    uint32_t sessions;
    struct ww_worker worker[SHOP_EVENTS + SHOP_WORKERS]; /* all there were */
    size_t workers;
    size_t at_slot[SHOP_WORKERS]; /* which of them serves there now */
};

/* One request while it is under way. */
struct shop_call {
    struct shop *s;
    struct shop_event *e;
    struct shop_client *c;
    struct ww_exchange *x;
    uint64_t rng;   /* of the request */
    uint64_t noise; /* of what is random in the answer */
    struct ww_buf body;
    const char *type;
    struct shop_client sent; /* the client as it was when the request was sent */
    uint32_t set[KEEPS];     /* what it keeps of the answer; SHOP_NONE: as it was */
    uint32_t told;           /* an item's id, or SHOP_NONE */
    unsigned arg, arg2;
};

struct shop_op {
    const char *name;
    unsigned group;                     /* ops of a group belong to each other */
    unsigned focus;                     /* the illness that it shows best, or 0 */
    void (*ask)(struct shop_call *k);   /* writes the request */
    void (*serve)(struct shop_call *k); /* changes the state, writes the answer */
};

extern const struct shop_op shop_things[], shop_times[], shop_people[];
extern const size_t shop_things_count, shop_times_count, shop_people_count;

size_t shop_ops(void);
const struct shop_op *shop_op(size_t i);

/* A number below n. */
unsigned shop_roll(uint64_t *rng, unsigned n);

/* Whether pages come from a cache that all workers share. */
bool shop_is_cached(const struct shop *s);

/* Draws the traits and the plan. */
struct shop *shop_new(const struct shop_config *cfg);
void shop_free(struct shop *s);

/* Plays the plan: fills exchange and each event's outcome. Again after some events were
 * dropped. */
void shop_play(struct shop *s);

/* ---- what the ops are written with */

/* The state that this worker works on: its own if the application is ill in that part. */
struct shop_state *shop_of(const struct shop_call *k, unsigned ill);

/* Writes the request's method and target. */
void shop_ask(struct shop_call *k, const char *method, const char *fmt, ...) WW_FMT(3, 4);

/* Appends to the answer what follows from the state; what is random, or of the clock. */
void shop_say(struct shop_call *k, const char *fmt, ...) WW_FMT(2, 3);
void shop_hum(struct shop_call *k, const char *fmt, ...) WW_FMT(2, 3);

void shop_field(struct shop_call *k, const char *name, ww_str value);
void shop_refuse(struct shop_call *k, unsigned status, const char *why);

/* A name: as users write it, as the application shows it; in the request's body. */
unsigned shop_draw_name(struct shop_call *k);
const char *shop_name(const struct shop_call *k, unsigned name);
const char *shop_shown_name(const struct shop_call *k, unsigned name);
void shop_send_name(struct shop_call *k, const char *key, unsigned name);
const char *shop_id(const struct shop_call *k, unsigned id);

#endif

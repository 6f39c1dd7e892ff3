/* judge: what the rules see: every exchange as interned words, by session and in order of time.
 */
#ifndef WW_JUDGE_MODEL_H
#define WW_JUDGE_MODEL_H

#include "lineage.h"
#include "normal.h"
#include "rulebook.h"
#include "session.h"

#include <whichworker/judge.h>

#define WW_SCRATCH_MAX                                                                         \
    (1u << 20) /* heads are limited long before a text of theirs gets so large */

enum look_kind { LOOK_READ, LOOK_WRITE, LOOK_OTHER };

/* A value that a write took to the server, or that its answer gave out. */
struct carried {
    uint32_t field; /* "/name", "query name", "answer /id" */
    uint32_t value;
    bool place; /* value is the path of a thing that the write created */
};

/* A session cookie that a request sent or a response set. */
struct cookie_use {
    uint32_t name;
    uint32_t pair;    /* the word "name=value": what the issuer is looked up by */
    uint32_t payload; /* view of what the value says without its key, or WW_NONE */
    uint32_t content; /* the word that names what was signed, or WW_NONE */
    bool is_id;
    bool cleared;
};

/* A request that brings along what an answer had given out: the id of a created thing, a
 * session's id, a token, a CSRF value, an OAuth state. */
struct handle_use {
    size_t step;
    size_t issued;  /* the step whose answer showed the value first, before anybody sent it */
    uint32_t field; /* "query state", "form csrf_token", "/code", "path", "Authorization" */
    uint32_t word;
    bool credential; /* it says who asks, on whatever path */
    bool secret;     /* nobody can have guessed it: it came from that answer */
    bool cookie;     /* a session cookie: only a log-in that is asked for refuses it */
};

/* Beside each struct ww_step, at the same index: the exchange as the rules read it. */
struct look {
    enum look_kind kind;
    uint32_t path;     /* without query */
    uint32_t route;    /* "POST /cars/{id}" */
    uint32_t scope;    /* of reads: "/cars/{id}?page=2" and inputs, for all users */
    uint32_t resource; /* path, query and all other inputs: what is equal may be compared */
    uint32_t actor;    /* the fields that say for whom the request is made */
    uint32_t
        credential; /* Authorization and explicit session ids, without cookies; or WW_NONE */
    uint32_t view;  /* of the response, or WW_NONE */
    uint32_t counts; /* view of the response fields that are numbers, or WW_NONE */
    uint32_t shape; /* of a write's answer: success and refusal differ in it */
    size_t carried, carrieds; /* in struct model */
    size_t sent, sents;
    size_t set, sets;
    size_t given, givens; /* readable tokens in the answer's body, beside the cookies */
    uint32_t ruled;       /* the user's rules that changed the answer, or WW_NO_SET */
    uint32_t first_word;  /* words from here on stand in no exchange before this one */
    size_t at;            /* its position in its session */
    bool acknowledged;    /* complete, 2xx or 3xx, not sent to a login */
    bool complete;
    bool cached;   /* some cache may have answered, not the worker */
    bool overlaps; /* in time with a change of its session: their order is not known */
    bool parallel; /* in time with any other of its session that is no stream */
    bool stream;   /* a read that goes on while others come and go: an event stream, a long
                      poll, a tunnel. It stands in nobody's way. */
    bool changes;  /* a write, or a read whose name says that it is one */
    bool removal;  /* may take state away */
    bool logout;
    bool login;
    bool to_login; /* redirected to a login */
    bool limited;  /* the answer speaks of a limit of requests: Retry-After, RateLimit-… */
    bool bearer;   /* the request has Authorization: Bearer */
    bool token;    /* its Authorization is signed: it can be read without the key */
    bool untimely; /* what it came with had expired by its own words, or was not valid yet:
                      that it is refused proves nothing */
    bool sid;      /* it names its session in a field, the query or the path: MCP, Socket.IO */
};

struct model {
    struct ww_arena arena; /* what the verdict's slices point at */
    struct ww_sessions *keys;
    struct normal normal;
    struct ww_buf scratch; /* for a text that becomes a word at once */
    struct ww_map field;   /* request field name: what smell says of it, as bits */
    struct rulebook rulebook;
    struct ww_map payload;    /* cookie value: view */
    struct ww_map login_page; /* targets to which somebody was sent to log in */
    struct ww_map content;    /* cookie value: the word that names what was signed */
    struct lineage lineage;
    struct keys *signers; /* which workers sign alike, when all steps are known */
    struct ww_verdict v;
    struct look *look;
    size_t step_cap, look_cap;
    struct carried *carried;
    size_t carrieds, carried_cap;
    struct cookie_use *cookie;
    size_t cookies, cookie_cap;
    uint32_t *issued; /* by word: 1 + the step that gave it out; 0: none did */
    size_t issued_cap;
    struct handle_use *use; /* in order of steps */
    size_t uses, use_cap;
    size_t *change; /* steps that change state, in order of start */
    size_t changes;
    int64_t *change_end;  /* the latest end among change[0..i] */
    enum ww_grade *reset; /* by step: how sure it is that it threw the session away */
    bool *blamed;         /* steps that some finding has as its fault */
    struct ww_map claim_at;
    size_t finding_cap;
    unsigned *telling; /* of each finding, how telling its witness is */
    size_t telling_cap;
};

/* The text for as long as the judge lives: the word itself where it is the same. */
ww_str ww_text_kept(struct model *m, ww_str text, uint32_t word);

/* Fills the look of the newest step. */
void ww_look(struct model *m, const struct ww_exchange *x, struct look *out);

/* Makes a look that proves nothing, and still explains: what it changes and ends is true. */
void ww_look_skip(struct look *l);

/* Fills what needs the whole trace: positions, overlaps, changes, masks. */
void ww_model_settle(struct model *m);

/* Whether a ended before b began, and b's client had what a's answer gave it (lineage.h). */
bool ww_before(const struct model *m, size_t a, size_t b);

/* The worker is known and this exchange's answer is the worker's own. */
bool ww_speaks(const struct model *m, size_t step);

/* A read whose view can be compared. */
bool ww_readable(const struct model *m, size_t step);

/* The number at this path of what the step shows, in its body or its fields; false: none. */
bool ww_shows_number(const struct model *m, size_t step, uint32_t path, double *out);

/* A change whose time meets the interval, and for which `counts` is true. With more changes
 * there than are looked at the answer is true: unknown beats wrong. */
bool ww_changed_between(const struct model *m, int64_t from_us, int64_t to_us,
                        bool (*counts)(const struct model *m, size_t step, void *ctx),
                        void *ctx);
bool ww_any_change(const struct model *m, int64_t from_us, int64_t to_us);

/* Whether two workers are known to sign with different keys what this step's request came with:
 * its cookies, its token. When all steps are known. */
bool ww_signers_differ(struct model *m, size_t step, size_t worker_a, size_t worker_b);

int32_t ww_step_pid(const struct model *m, size_t step);

#endif

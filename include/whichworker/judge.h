/* judge: exchanges in, findings out; pure: the same trace gives the same findings. */
#ifndef WHICHWORKER_JUDGE_H
#define WHICHWORKER_JUDGE_H

#include <whichworker/err.h>
#include <whichworker/exchange.h>
#include <whichworker/re.h>
#include <whichworker/rulebook.h>

/* The session guarantees (Terry et al., PDIS 1994) and two more forms of the same harm. */
enum ww_guarantee {
    WW_READ_YOUR_WRITES,
    WW_MONOTONIC_READS,
    WW_SESSION_RESET,
    WW_STATUS_FLIP,
    WW_GUARANTEES
};

enum ww_grade { WW_POSSIBLE, WW_LIKELY, WW_CONFIRMED, WW_PROVEN, WW_GRADES };

enum ww_cause {
    WW_CAUSE_UNKNOWN,
    WW_CAUSE_PER_WORKER_SECRET,
    WW_CAUSE_WORKER_MEMORY,
    WW_CAUSE_WORKER_RESTARTED,
    WW_CAUSE_STALE_CACHE,
    WW_CAUSES
};

/* What holds a session together. */
enum ww_key_kind {
    WW_KEY_COOKIE,
    WW_KEY_HEADER,  /* a request field: Mcp-Session-Id, X-Session-ID */
    WW_KEY_QUERY,   /* a query field: Socket.IO's sid, session_id */
    WW_KEY_PATH,    /* a parameter of the path: ;jsessionid= */
    WW_KEY_PATTERN, /* what a configured pattern captures */
    WW_KEY_AUTHORIZATION,
    WW_KEY_CLIENT /* address and User-Agent */
};

/* What is the least that fails. NONE: nothing does. SPLIT: a split is enough. */
enum ww_fail_on {
    WW_FAIL_ON_NONE,
    WW_FAIL_ON_PROVEN,
    WW_FAIL_ON_CONFIRMED,
    WW_FAIL_ON_LIKELY,
    WW_FAIL_ON_POSSIBLE,
    WW_FAIL_ON_SPLIT
};

enum ww_verdict_value { WW_PASS, WW_FAIL, WW_INCONCLUSIVE };

#define WW_NO_WORKER SIZE_MAX

/* Everything below is owned by the judge and borrowed by its readers; slices too. Indices point
 * into the arrays of struct ww_verdict. */

struct ww_verdict_worker {
    struct ww_worker worker;
    uint64_t exchanges;
    double queue_wait_p50_ms; /* connected to accepted; 0 without exchanges */
    double queue_wait_p99_ms;
};

struct ww_verdict_session {
    char id[16]; /* "s1", "s2", … in order of their first exchange */
    enum ww_key_kind kind;
    ww_str key_name;  /* the cookie's, field's or carrier's name; "Authorization"; "client" */
    ww_str key_value; /* as recorded: masked if a secret */
    size_t *step;     /* its exchanges in order of time: indices into steps */
    size_t steps;
    size_t *worker; /* which workers, in order of first use */
    size_t workers;
    uint64_t splits;
    bool weak; /* many people could stand behind this key: never more than `possible` */
};

/* An exchange as the judge keeps it. */
struct ww_step {
    uint64_t exchange;
    size_t session;
    size_t worker; /* or WW_NO_WORKER */
    size_t route;  /* in the verdict's routes */
    enum ww_source by;
    ww_str method;
    ww_str target;
    unsigned status;
    enum ww_end end;
    int64_t started_us;
    int64_t ended_us;
    bool skipped; /* by the user's rules: nothing is claimed of it */
    bool split; /* another worker than the session's exchange just before, which had ended */
};

struct ww_split {
    size_t session;
    size_t from; /* steps */
    size_t to;
};

struct ww_evidence {
    size_t step;
    const char *role; /* "write", "read-kept", "read-lost", "accepted", "refused", "issued" … */
    ww_str value;     /* what was there or missing, in a few words; may be absent */
};

/* How often the state was kept or lost, when the worker had changed and when not. */
struct ww_table {
    uint64_t changed_kept;
    uint64_t changed_lost;
    uint64_t same_kept;
    uint64_t same_lost;
};

/* One fault; the same fault seen again is counted here, not repeated. */
struct ww_finding {
    char id[16]; /* "f1", "f2", … worst first */
    enum ww_guarantee guarantee;
    enum ww_grade grade;
    enum ww_cause cause;
    size_t session; /* of the witness */
    ww_str method;
    ww_str
        resource; /* path of the read or of the refused request that showed it, without query */
    ww_str route; /* its template: "/cars/{id}" */
    ww_str place; /* what was lost there, without values: "/name", "Set-Cookie session",
                     "status"; empty: nothing in particular. Guarantee, method, route and place
                     name the same fault in every run. */
    size_t *worker; /* of the witness, in order of appearance */
    size_t workers;
    ww_str message; /* one sentence that can be pasted into a bug report */
    ww_str fix;
    struct ww_table table;
    ww_str *masked; /* what was not compared: "/items/0/at: differs within one worker" */
    size_t maskeds;
    struct ww_evidence *evidence; /* the smallest witness, in order of time */
    size_t evidences;
    uint64_t occurrences;
    bool fails; /* what the judge was told to fail on; a baseline may know better */
    bool allowed;            /* by the user's rules: so it does not fail */
    enum ww_fail_on fail_on; /* what counts for this one */
    ww_str policy; /* what the user's rules did to it, where and why; may be absent */
};

/* Two sources of attribution that named different workers for the same exchanges. */
struct ww_disagreement {
    enum ww_source by; /* the one that is believed */
    enum ww_source also_by;
    uint64_t exchanges;
    uint64_t first; /* the id of the first such exchange, and whom the two named there */
    int32_t pid;
    int32_t also_pid;
};

/* A rule of the user's, and in how many exchanges or findings it had something to say. */
struct ww_verdict_rule {
    const struct ww_user_rule *rule;
    ww_str what; /* "/items/0/at (GET /cars)", "everywhere" */
    uint64_t used;
};

struct ww_verdict {
    struct ww_run run;
    struct ww_step *step; /* all exchanges, in order of time */
    size_t steps;
    struct ww_verdict_worker *worker; /* those that served an exchange, by slot, then start */
    size_t workers;
    struct ww_verdict_session *session;
    size_t sessions;
    struct ww_split *split;
    size_t splits;
    size_t pairs; /* exchanges that follow another of their session, both workers known: how
                     many splits could have been */
    ww_str *route; /* what was asked for, each once: "GET /cars/{id}"; in order of first use */
    size_t routes;
    struct ww_finding *finding;
    size_t findings;
    uint64_t by[WW_SOURCES];                         /* exchanges by source */
    struct ww_disagreement disagreement[WW_SOURCES]; /* by also_by; exchanges 0: none */
    double coverage; /* attributed share of those that reached an upstream and are not skipped; 1
                        if none did */
    enum ww_verdict_value value;
    ww_str why;
    ww_str doubt; /* why what was not found proves nothing; absent: it does */
    enum ww_verdict_value
        guarantee[WW_GUARANTEES]; /* one verdict each: the report's last line */
    struct ww_verdict_rule *rule; /* all of the user's, in their order */
    size_t rules;
    uint64_t skipped; /* exchanges that the user's rules took out */
};

/* What a configured pattern is applied to. */
enum ww_carrier_of {
    WW_OF_TARGET, /* path and query, as recorded */
    WW_OF_HEADER, /* the request field `name`, as recorded */
    WW_OF_COOKIE  /* the cookie `name`: its value as recorded, else what it says without its key
                   */
};

/*
 * Something that carries a session's identity in a request. Values are compared as recorded: a
 * secret is a keyed hash, equal where the secret was. An empty value, or a pattern that does
 * not match, carries nothing.
 */
struct ww_carrier {
    enum ww_key_kind kind; /* COOKIE, HEADER, QUERY, PATH: the value under `name`; or PATTERN */
    /* Of a header: without regard to case. PATTERN of a target: only what reports call it. */
    ww_str name;
    struct ww_re *pattern; /* PATTERN: its first capture is the identity. Else NULL */
    enum ww_carrier_of of; /* PATTERN */
};

/* Zero is fine: nothing configured, nothing forgotten. */
struct ww_sessions_config {
    /* Borrowed, with all that it points at, for as long as the sessions live. The first that a
     * request has is its key. */
    const struct ww_carrier *carrier;
    size_t carriers;
    /* 0: no limit. Else those that were idle the longest are forgotten, and of each session all
     * but its latest identities: for what runs for weeks. */
    size_t max_sessions;
};

struct ww_judge_config {
    enum ww_fail_on fail_on;
    double min_attributed; /* 0 to 1: coverage below it is inconclusive */
    struct ww_sessions_config sessions;
    const struct ww_user_rule *rule; /* checked (ww_user_rule_check); borrowed by the judge */
    size_t rules;
    /* 0: no limit. Else, once so many different words have come, further bodies are not compared:
     * what is kept of them could be many times what they are. */
    size_t max_words;
};

struct ww_judge;

struct ww_judge *ww_judge_new(const struct ww_judge_config *cfg);
void ww_judge_free(struct ww_judge *j); /* NULL is fine; takes the verdict with it */

/* Feed the run, all workers and payloads, then the exchanges in order of started_us. Each is
 * borrowed until the call returns. */
void ww_judge_run(struct ww_judge *j, const struct ww_run *run);
void ww_judge_worker(struct ww_judge *j, const struct ww_worker *w);
void ww_judge_payload(struct ww_judge *j, const struct ww_payload *p);
void ww_judge_exchange(struct ww_judge *j, const struct ww_exchange *x);

/* Judges. Once; nothing may be fed afterwards. Borrowed until ww_judge_free. */
const struct ww_verdict *ww_judge_finish(struct ww_judge *j);

/* Tokens as they stand in reports, and the other way round (false if there is none). */
const char *ww_guarantee_token(enum ww_guarantee g);
const char *ww_grade_token(enum ww_grade g);
const char *ww_cause_token(enum ww_cause c);
const char *ww_key_kind_token(enum ww_key_kind k);
const char *ww_verdict_token(enum ww_verdict_value v);
const char *ww_fail_on_token(enum ww_fail_on f);
WW_MUST bool ww_fail_on_find(ww_str token, enum ww_fail_on *out);

/* ---- sessions alone, for whoever wants to name them as exchanges come (the live lines) */

struct ww_sessions;

/* cfg is copied; NULL: zero. */
struct ww_sessions *ww_sessions_new(const struct ww_sessions_config *cfg);
void ww_sessions_free(struct ww_sessions *s); /* NULL is fine */

struct ww_session_key {
    uint64_t number; /* 1, 2, …: in order of first appearance; never given twice */
    enum ww_key_kind kind;
    ww_str name;
    ww_str value; /* as recorded: masked if a secret */
    bool weak;
};

/*
 * The slot of the exchange's session: 0, 1, … in order of first appearance. With max_sessions
 * it stays below that limit, and the slot of a forgotten session is given to a new one: the
 * key's number tells. Remembers the ids that the response gives out. Exchanges come in the
 * order of started_us, or as they end when live.
 */
size_t ww_sessions_assign(struct ww_sessions *s, const struct ww_exchange *x);

/* The key under which the session is known; borrowed until the next ww_sessions_assign. */
const struct ww_session_key *ww_sessions_key(const struct ww_sessions *s, size_t session);

#endif

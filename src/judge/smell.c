/* judge: what names tell: tables and patterns, compiled once for each judge. */
#include "smell.h"

#include <whichworker/arena.h>
#include <whichworker/map.h>

#include <assert.h>
#include <stdlib.h>

#define KNOWN_MAX  4096 /* texts whose answers are kept; they are few, and asked for often */
#define KNOWN_TEXT 64   /* bytes of the longest of them */

enum pattern {
    SESSION_COOKIE,
    WHO_COOKIE,
    NOISE_COOKIE,
    LOGOUT,
    LOGIN,
    REMOVAL,
    VOLATILE_KEY,
    VOLATILE_VALUE,
    ID,
    ACTOR,
    PATTERNS
};

/* clang-format off */
static const char *const pattern[PATTERNS] = {
    [SESSION_COOKIE] = "^session$|^connect\\.sid$|^PHPSESSID$|^JSESSIONID$|^ASP\\.NET_SessionId$|"
                       "^\\.AspNetCore\\.|^laravel_session$|^_.*_session$|sess|sid$|^sid|[._-]sid|"
                       "auth|^jwt$|token|remember|^CAKEPHP$|^CFID$",
    [WHO_COOKIE] =     "^u?uid$|(cart|basket|user|visitor|guest|customer|client|device|player|member|account|shopper)"
                       "[-_.]?(id|uuid|guid|key|ref)?$",
    [NOISE_COOKIE] = "csrf|xsrf|antiforgery|^_ga|^_gid$|^_gat|^_gcl|^_fbp$|^_hj|^_pk_|^__utm|^ajs_|^amplitude|"
                     "^mp_|^optimizely|^_uet|^intercom|^cookie_?consent|^__cf|^cf_|^ai_(session|user)$|^_dd_s$|"
                     "^__stripe_|^_shopify_[sy]$|^_cl(ck|sk)$|^hubspotutk$|^__hs|^ph_|^rl_|^_vwo|^AMCV|^s_sess$|"
                     "^AWSALB|^ARRAffinity|^BIGipServer|^incap_ses|^visid_incap|^SERVERID$",
    [LOGOUT] = "log-?_?out|sign-?_?out|log-?_?off|sign-?_?off|/end-?_?session",
    [LOGIN] = "log-?_?in|sign-?_?in|log-?_?on|/auth|/token|/sessions?(/|$)|/oauth|sign-?_?up|password|"
              "/verify|/callback|impersonat|/sudo",
    [REMOVAL] = "delete|remove|clear|reset|checkout|purge|destroy|drop|empty|flush|revoke|cancel|archive|"
                "truncate|wipe|discard|undo|restore|rollback|teardown|cleanup|reload|reseed|seed|pop\\b",
    [VOLATILE_KEY] = "csrf|xsrf|nonce|token|timestamp|^ts$|^time$|^now$|^date$|_at$|[a-z]At$|^at$|_time$|"
                     "[a-z]Time$|datetime|^expires|^exp$|^iat$|^nbf$|^jti$|etag|request_?id|trace_?id|"
                     "span_?id|uptime|elapsed|duration|latency|^took$|^age$|^pid$|_pid$|process|"
                     "^worker|host_?name|^host$|^instance|server_?id|^node$|thread|^rss$|memory|"
                     "^load|random|^seed$|last_?seen|_flashes|^_fresh$|^_permanent$",
    [VOLATILE_VALUE] =
        "^\\d{4}-\\d\\d-\\d\\d([T ]\\d\\d:\\d\\d.*)?$|^\\d\\d?:\\d\\d(:\\d\\d(\\.\\d+)?)?$|"
        "^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? |"
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$|^[0-9a-f]{16,}$|"
        "^1[0-9]{9}([0-9]{3}){0,2}(\\.[0-9]+)?$|"
        "^mac:[0-9a-f]{24}$|"
        "^(?=[^0-9]*[0-9])(?=[^a-z]*[a-z])[a-z0-9_+/=.-]{20,}$",
    [ID] = "^[0-9]+$|^[0-9a-f]{8}-[0-9a-f]{4}-|^(?=.*[0-9])[0-9a-f]{8,}$|^(?=.*[0-9])[a-z0-9_=.-]{20,}$",
    [ACTOR] = "^authorization$|tenant|api-?key|user|account|^x-.*auth|customer|client-?id|workspace|organi[sz]ation|"
              "^x-org|team|role|impersonat|acting|on-?behalf|subject|principal",
};

static const char *const id_cookie[] = { "connect.sid", "PHPSESSID", "JSESSIONID", "sessionid",
                                         "ASP.NET_SessionId" };

static const char *const idle_field[] = {
    "cookie", "user-agent", "connection", "keep-alive", "content-length", "content-type", "date",
    "x-request-id", "x-correlation-id", "traceparent", "tracestate", "baggage", "b3", "via", "forwarded",
    "x-real-ip", "x-amzn-trace-id", "idempotency-key", "if-none-match", "if-modified-since",
    "cache-control", "pragma", "postman-token", "referer", "origin", "accept-encoding", "te", "expect",
    "upgrade-insecure-requests", "dnt", "priority", "transfer-encoding" };

static const char *const idle_prefix[] = { "x-forwarded-", "x-b3-", "sec-" };
/* clang-format on */

/* By text: a bit for each pattern that was asked, and above them one for each that matched. */
struct smell_memo {
    struct ww_arena arena;
    struct ww_map answer;
};

void ww_smell_init(struct ww_smell *s)
{
    s->known = ww_xcalloc(1, sizeof *s->known);
    ww_arena_init(&s->known->arena, SIZE_MAX);
    ww_map_init(&s->known->answer);
    static_assert(PATTERNS == sizeof s->re / sizeof s->re[0], "one compiled form each");
    for (size_t i = 0; i < PATTERNS; i++) {
        struct ww_err err = { 0 };
        s->re[i] = ww_re_new(pattern[i], true, &err);
        assert(s->re[i] != NULL);
    }
}

void ww_smell_release(struct ww_smell *s)
{
    for (size_t i = 0; i < PATTERNS; i++) {
        ww_re_free(s->re[i]);
    }
    if (s->known != NULL) {
        ww_map_release(&s->known->answer);
        ww_arena_release(&s->known->arena);
    }
    free(s->known);
}

static bool smells(const struct ww_smell *s, enum pattern p, ww_str of)
{
    ww_str whole;

    return of.len > 0 && ww_re_match(s->re[p], of, 0, &whole, NULL);
}

/* The same, of names and paths, which are the same in most exchanges. */
static bool often_smells(const struct ww_smell *s, enum pattern p, ww_str of)
{
    struct smell_memo *m = s->known;
    size_t *answer = of.len > KNOWN_TEXT ? NULL : ww_map_find(&m->answer, of);
    size_t asked = (size_t)1 << p, matched = asked << PATTERNS;

    if (answer == NULL && of.len <= KNOWN_TEXT && m->answer.len < KNOWN_MAX)
        answer = ww_map_put(&m->answer, ww_arena_dup(&m->arena, of), 0, NULL);
    if (answer == NULL)
        return smells(s, p, of);
    if ((*answer & asked) == 0)
        *answer |= smells(s, p, of) ? asked | matched : asked;
    return (*answer & matched) != 0;
}

enum ww_cookie_kind ww_smell_cookie(const struct ww_smell *s, ww_str name)
{
    for (size_t i = 0; i < sizeof id_cookie / sizeof *id_cookie; i++) {
        if (ww_str_eq_nocase(name, ww_str_c(id_cookie[i])))
            return WW_COOKIE_ID;
    }
    if (often_smells(s, NOISE_COOKIE, name))
        return WW_COOKIE_NOISE;
    if (often_smells(s, SESSION_COOKIE, name))
        return WW_COOKIE_SESSION;
    return often_smells(s, WHO_COOKIE, name) ? WW_COOKIE_WHO : WW_COOKIE_OTHER;
}

bool ww_smell_logout(const struct ww_smell *s, ww_str path)
{
    return often_smells(s, LOGOUT, path);
}

bool ww_smell_login(const struct ww_smell *s, ww_str path)
{
    return often_smells(s, LOGIN, path);
}

bool ww_smell_removal(const struct ww_smell *s, ww_str path)
{
    return often_smells(s, REMOVAL, path) || often_smells(s, LOGOUT, path);
}

bool ww_smell_volatile_key(const struct ww_smell *s, ww_str key)
{
    return smells(s, VOLATILE_KEY, key);
}

bool ww_smell_volatile_value(const struct ww_smell *s, ww_str value)
{
    return smells(s, VOLATILE_VALUE, value);
}

bool ww_smell_id(const struct ww_smell *s, ww_str segment)
{
    return often_smells(s, ID, segment);
}

bool ww_smell_actor(const struct ww_smell *s, ww_str name)
{
    return smells(s, ACTOR, name);
}

bool ww_smell_idle_field(ww_str name)
{
    for (size_t i = 0; i < sizeof idle_field / sizeof *idle_field; i++) {
        if (ww_str_eq_nocase(name, ww_str_c(idle_field[i])))
            return true;
    }
    for (size_t i = 0; i < sizeof idle_prefix / sizeof *idle_prefix; i++) {
        if (ww_str_starts_nocase(name, ww_str_c(idle_prefix[i])))
            return true;
    }
    return false;
}

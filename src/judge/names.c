/* judge: the tokens of its enums, as they stand in reports and on the command line. */
#include <whichworker/judge.h>

static const char *const guarantee_token[WW_GUARANTEES] = {
    [WW_READ_YOUR_WRITES] = "read-your-writes",
    [WW_MONOTONIC_READS] = "monotonic-reads",
    [WW_SESSION_RESET] = "session-reset",
    [WW_STATUS_FLIP] = "status-flip",
};

static const char *const grade_token[WW_GRADES] = {
    [WW_POSSIBLE] = "possible",
    [WW_LIKELY] = "likely",
    [WW_CONFIRMED] = "confirmed",
    [WW_PROVEN] = "proven",
};

static const char *const cause_token[WW_CAUSES] = {
    [WW_CAUSE_UNKNOWN] = "unknown",
    [WW_CAUSE_PER_WORKER_SECRET] = "per-worker-secret",
    [WW_CAUSE_WORKER_MEMORY] = "worker-memory",
    [WW_CAUSE_WORKER_RESTARTED] = "worker-restarted",
    [WW_CAUSE_STALE_CACHE] = "stale-cache",
};

static const char *const key_kind_token[] = {
    [WW_KEY_COOKIE] = "cookie",   [WW_KEY_HEADER] = "header",
    [WW_KEY_QUERY] = "query",     [WW_KEY_PATH] = "path",
    [WW_KEY_PATTERN] = "pattern", [WW_KEY_AUTHORIZATION] = "authorization",
    [WW_KEY_CLIENT] = "client",
};

static const char *const verdict_token[] = {
    [WW_PASS] = "pass",
    [WW_FAIL] = "fail",
    [WW_INCONCLUSIVE] = "inconclusive",
};

static const char *const fail_on_token[] = {
    [WW_FAIL_ON_NONE] = "none",           [WW_FAIL_ON_PROVEN] = "proven",
    [WW_FAIL_ON_CONFIRMED] = "confirmed", [WW_FAIL_ON_LIKELY] = "likely",
    [WW_FAIL_ON_POSSIBLE] = "possible",   [WW_FAIL_ON_SPLIT] = "split",
};

const char *ww_guarantee_token(enum ww_guarantee g)
{
    return guarantee_token[g];
}

const char *ww_grade_token(enum ww_grade g)
{
    return grade_token[g];
}

const char *ww_cause_token(enum ww_cause c)
{
    return cause_token[c];
}

const char *ww_key_kind_token(enum ww_key_kind k)
{
    return key_kind_token[k];
}

const char *ww_verdict_token(enum ww_verdict_value v)
{
    return verdict_token[v];
}

const char *ww_fail_on_token(enum ww_fail_on f)
{
    return fail_on_token[f];
}

bool ww_fail_on_find(ww_str token, enum ww_fail_on *out)
{
    for (unsigned i = 0; i < sizeof fail_on_token / sizeof *fail_on_token; i++) {
        if (ww_str_eq(token, ww_str_c(fail_on_token[i]))) {
            *out = (enum ww_fail_on)i;
            return true;
        }
    }
    return false;
}

/* Regular expressions: the only file that knows PCRE2. */
#include <whichworker/arena.h>
#include <whichworker/re.h>
#include <whichworker/units.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>

/* A pattern that needs more steps on one subject is treated as not matching: user patterns meet
 * hostile bodies. */
#define MATCH_LIMIT 1000000

/* What a match may remember to come back to: JIT's 32 KiB are too few for (.|\n)* over a page,
 * and the interpreter's own limit is 20 GB. The stack is address space until it is used. */
#define STACK_FIRST_BYTES (32 * 1024)
#define STACK_MAX_BYTES   (8 * 1024 * 1024)
#define HEAP_LIMIT_KIB    (64 * 1024)

/* PCRE2 counts steps anew from each start, so a body of n bytes may cost n times MATCH_LIMIT. A
 * callout in front of the pattern is reached once for each start, and looks at the clock. */
#define MATCH_MAX_US      1000000
#define STARTS_FOR_A_LOOK 16
#define GUARD             "(?C)"

struct ww_re {
    pthread_mutex_t
        lock; /* held while it matches: several threads judge by one configuration */
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack; /* NULL without JIT */
    size_t starts;          /* of the match that runs */
    int64_t deadline_us;    /* 0: too young to look at the clock */
};

static int on_start(pcre2_callout_block *block, void *data)
{
    struct ww_re *re = data;

    if (++re->starts % STARTS_FOR_A_LOOK != 0)
        return 0;

    int64_t now = ww_clock_mono_us();

    if (re->deadline_us == 0)
        re->deadline_us = now + MATCH_MAX_US;
    return now < re->deadline_us ? 0 : PCRE2_ERROR_CALLOUT;
}

/* How much of pattern is settings, as in (*ANYCRLF), which nothing may precede. */
static size_t settings_len(const char *pattern)
{
    size_t len = 0;

    while (pattern[len] == '(' && pattern[len + 1] == '*' && pattern[len + 2] >= 'A' &&
           pattern[len + 2] <= 'Z') {
        const char *close = strchr(pattern + len, ')');

        if (close == NULL)
            break;
        len = (size_t)(close - pattern) + 1;
    }
    return len;
}

/* Writes, on failure, where in pattern it is wrong. */
static pcre2_code *compile_guarded(const char *pattern, uint32_t options, int *out_number,
                                   size_t *out_at)
{
    size_t head = settings_len(pattern);
    size_t len = strlen(pattern);
    size_t guard = sizeof(GUARD) - 1;
    char *guarded = ww_xmalloc(len + guard);

    memcpy(guarded, pattern, head);
    memcpy(guarded + head, GUARD, guard);
    memcpy(guarded + head + guard, pattern + head, len - head);

    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)guarded, len + guard, options, out_number, out_at, NULL);

    if (code == NULL && *out_at >= head + guard)
        *out_at -= guard;
    free(guarded);
    return code;
}

struct ww_re *ww_re_new(const char *pattern, bool caseless, struct ww_err *err)
{
    struct ww_err why = { 0 };
    size_t at = 0;
    struct ww_re *re = ww_re_new_at(pattern, caseless, &at, &why);

    if (re == NULL)
        ww_err_set(err, WW_EUSAGE, "pattern '%s' is wrong at character %zu: %s", pattern,
                   at + 1, why.text);
    return re;
}

struct ww_re *ww_re_new_at(const char *pattern, bool caseless, size_t *out_at,
                           struct ww_err *err)
{
    int number = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *code = compile_guarded(pattern, caseless ? PCRE2_CASELESS : 0, &number, &at);

    if (code == NULL) {
        char words[128] = "";

        pcre2_get_error_message(number, (PCRE2_UCHAR *)words, sizeof(words));
        ww_err_set(err, WW_EUSAGE, "%s", words);
        if (out_at != NULL)
            *out_at = at;
        return NULL;
    }

    struct ww_re *re = ww_xcalloc(1, sizeof(*re));

    pthread_mutex_init(&re->lock, NULL);
    re->code = code;
    /* Without JIT (a hardened kernel, another processor) the interpreter does the same, slower.
     */
    if (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0)
        re->stack = pcre2_jit_stack_create(STACK_FIRST_BYTES, STACK_MAX_BYTES, NULL);
    re->data = pcre2_match_data_create_from_pattern(code, NULL);
    re->limits = pcre2_match_context_create(NULL);
    if (re->data == NULL || re->limits == NULL)
        abort();
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_LIMIT_KIB);
    pcre2_jit_stack_assign(re->limits, NULL, re->stack);
    pcre2_set_callout(re->limits, on_start, re);
    return re;
}

void ww_re_free(struct ww_re *re)
{
    if (re == NULL)
        return;
    pthread_mutex_destroy(&re->lock);
    pcre2_jit_stack_free(re->stack);
    pcre2_match_context_free(re->limits);
    pcre2_match_data_free(re->data);
    pcre2_code_free(re->code);
    free(re);
}

static ww_str group(const PCRE2_SIZE *at, uint32_t n, ww_str s)
{
    if (at[2 * n] == PCRE2_UNSET || at[2 * n + 1] < at[2 * n])
        return (ww_str){ 0 };
    return ww_str_n(s.ptr + at[2 * n], at[2 * n + 1] - at[2 * n]);
}

bool ww_re_match(struct ww_re *re, ww_str s, size_t from, ww_str *out_whole,
                 ww_str *out_capture)
{
    const char *subject = s.ptr == NULL ? "" : s.ptr;

    if (from > s.len)
        return false;
    s.ptr = subject;
    pthread_mutex_lock(&re->lock);
    re->starts = 0;
    re->deadline_us = 0;

    int found =
        pcre2_match(re->code, (PCRE2_SPTR)subject, s.len, from, 0, re->data, re->limits);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->data);

    if (found > 0)
        *out_whole = group(at, 0, s);
    if (found > 0 && out_capture != NULL)
        *out_capture = found > 1 ? group(at, 1, s) : (ww_str){ 0 };
    pthread_mutex_unlock(&re->lock);
    return found > 0;
}

/* Regular expressions: the only file that knows PCRE2. */
#include <whichworker/arena.h>
#include <whichworker/re.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

/* A pattern that needs more steps on one subject is treated as not matching: user patterns meet
 * hostile bodies. */
#define MATCH_LIMIT 1000000
#define DEPTH_LIMIT 10000

struct ww_re {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

struct ww_re *ww_re_new(const char *pattern, bool caseless, struct ww_err *err)
{
    int number = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     caseless ? PCRE2_CASELESS : 0, &number, &at, NULL);

    if (code == NULL) {
        char words[128] = "";

        pcre2_get_error_message(number, (PCRE2_UCHAR *)words, sizeof(words));
        ww_err_set(err, WW_EUSAGE, "pattern '%s' is wrong at character %zu: %s", pattern,
                   at + 1, words);
        return NULL;
    }

    struct ww_re *re = ww_xcalloc(1, sizeof(*re));

    re->code = code;
    /* Without JIT (a hardened kernel, another processor) the interpreter does the same, slower.
     */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    re->data = pcre2_match_data_create_from_pattern(code, NULL);
    re->limits = pcre2_match_context_create(NULL);
    if (re->data == NULL || re->limits == NULL)
        abort();
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(re->limits, DEPTH_LIMIT);
    return re;
}

void ww_re_free(struct ww_re *re)
{
    if (re == NULL)
        return;
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

    int found =
        pcre2_match(re->code, (PCRE2_SPTR)subject, s.len, from, 0, re->data, re->limits);

    if (found <= 0)
        return false;

    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->data);

    s.ptr = subject;
    *out_whole = group(at, 0, s);
    if (out_capture != NULL)
        *out_capture = found > 1 ? group(at, 1, s) : (ww_str){ 0 };
    return true;
}

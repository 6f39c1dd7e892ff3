/* trace: why an exchange ended: one table for HTTP status, token and sentence. */
#include <whichworker/end.h>

#include <assert.h>

struct row {
    unsigned status;
    const char *token;
    const char *sentence;
};

static const struct row rows[WW_ENDS] = {
#define ROW(id, status_, token_, sentence_)                                                    \
    [WW_END_##id] = { .status = (status_), .token = (token_), .sentence = (sentence_) },
    WW_END_MAP(ROW)
#undef ROW
};

static const struct row *row_of(enum ww_end end)
{
    assert((unsigned)end < WW_ENDS);
    return &rows[end];
}

unsigned ww_end_status(enum ww_end end)
{
    return row_of(end)->status;
}

const char *ww_end_token(enum ww_end end)
{
    return row_of(end)->token;
}

const char *ww_end_sentence(enum ww_end end)
{
    return row_of(end)->sentence;
}

enum ww_end ww_end_find(ww_str token)
{
    for (unsigned i = 0; i < WW_ENDS; i++) {
        if (ww_str_eq(token, ww_str_c(rows[i].token)))
            return (enum ww_end)i;
    }
    return WW_ENDS;
}

/* judge: read-your-writes, the second half: what the counts amount to, and how it is said. */
#include "read_your_writes.h"

#define ODDS_CERTAIN 0.05
#define ODDS_LIKELY  0.1001 /* one in ten, and what rounding adds */
#define KEPT_CERTAIN 3
#define NAMED_LIKELY 2
#define GONE_LIKELY  2
#define HOME_CERTAIN 0.01

/* Whether there is reason to expect the value at all, seen where no worker changed. */
static bool has_control(const struct model *m, const struct relation *r, enum leg from)
{
    const struct tally *t = &r->tally[from];
    bool text =
        !r->example.place && m->normal.view[m->look[t->best.lost].view].kind == VIEW_TEXT;

    if (r->example.place || t->best.mirrored)
        return true;
    if (from == FROM_WRITE)
        return r->grew > 0 || (r->several && ww_table_odds(&t->table) <= ODDS_LIKELY);
    return t->table.same_kept > 0 || (!text && r->listed);
}

/* The writer's worker shows the value again after another one did not. */
static enum ww_grade grade_again(const struct relation *r, const struct loss *l)
{
    return r->example.place || r->listed || l->as_before || l->before ? WW_CONFIRMED
                                                                      : WW_POSSIBLE;
}

/* Nothing weakens it; the writer's worker showed it before, the cookie holds it, or chance is
 * out. */
static bool is_certain(const struct model *m, const struct relation *r, enum leg from)
{
    const struct tally *t = &r->tally[from];
    const struct loss *l = &t->best;
    bool kept = !l->choice && (t->table.same_kept > 0 || (from == FROM_WRITE && r->grew > 0));

    if ((l->mirrored && m->reset[l->lost] == WW_CONFIRMED) ||
        (kept && (l->before || l->payload)))
        return true;
    return t->table.same_kept >= KEPT_CERTAIN && ww_table_odds(&t->table) <= ODDS_CERTAIN;
}

static struct ww_table both(const struct relation *r)
{
    const struct ww_table *a = &r->tally[FROM_WRITE].table, *b = &r->tally[FROM_READ].table;

    return (struct ww_table){ .changed_kept = a->changed_kept + b->changed_kept,
                              .changed_lost = a->changed_lost + b->changed_lost,
                              .same_kept = a->same_kept + b->same_kept,
                              .same_lost = a->same_lost + b->same_lost };
}

static enum ww_grade grade_of(const struct model *m, const struct relation *r, enum leg from)
{
    const struct tally *t = &r->tally[from];
    const struct loss *l = &t->best;

    if (l->again && !l->caught_up && !l->choice)
        return grade_again(r, l);
    if (l->choice && ww_table_odds(&t->table) > ODDS_LIKELY)
        return WW_POSSIBLE;
    if (l->named && t->table.changed_lost >= NAMED_LIKELY && t->table.changed_kept == 0 &&
        !has_control(m, r, from))
        return WW_LIKELY;
    if (l->late && !l->caught_up && grade_again(r, l) == WW_CONFIRMED)
        return is_certain(m, r, from) && !l->doubtful ? WW_CONFIRMED : WW_LIKELY;
    if (l->doubtful || !has_control(m, r, from))
        return WW_POSSIBLE;
    if (l->caught_up)
        return l->before ? WW_LIKELY : WW_POSSIBLE;
    /* Another worker kept it, and no worker was asked twice: a letter is gone once it is read.
     */
    if (from == FROM_READ && t->table.same_kept == 0 && both(r).changed_kept > 0)
        return WW_POSSIBLE;
    /* Others show such values, too: whether they do must at least follow the worker. */
    if (t->table.changed_kept > 0 && (!l->before || r->example.place) &&
        ww_table_odds(&t->table) > ODDS_LIKELY)
        return WW_POSSIBLE;
    /* What was there and then is not may have been thrown away by the clock. */
    if (r->example.place && from == FROM_READ && t->table.changed_lost < GONE_LIKELY)
        return WW_POSSIBLE;
    if (ww_restarted_since(m, l->write, l->lost) || t->table.changed_kept > 0)
        return WW_LIKELY;
    return is_certain(m, r, from) ? WW_CONFIRMED : WW_LIKELY;
}

static enum ww_cause cause_of(const struct model *m, const struct loss *l)
{
    if (l->caught_up)
        return WW_CAUSE_STALE_CACHE;
    if (l->payload)
        return WW_CAUSE_PER_WORKER_SECRET;
    if (ww_restarted_since(m, l->write, l->lost))
        return WW_CAUSE_WORKER_RESTARTED;
    return WW_CAUSE_WORKER_MEMORY;
}

/* A value that the write's request carried tells more than one that its answer gave out. */
static unsigned how_telling(const struct model *m, const struct relation *r, uint32_t value)
{
    if (r->example.place)
        return 3;
    if (ww_str_starts(ww_word_text(&m->normal, r->example.field), WW_STR("answer ")))
        return 0;
    return m->normal.word[value].is_number ? 1 : 2;
}

/* The value that this very write carried in the relation's field. */
static uint32_t value_of(const struct model *m, const struct relation *r, size_t write)
{
    const struct look *l = &m->look[write];

    for (size_t i = 0; i < l->carrieds; i++) {
        struct carried what = m->carried[l->carried + i];
        if (what.field == r->example.field && what.place == r->example.place)
            return what.value;
    }
    return r->example.value;
}

static void claim_loss(struct model *m, const struct relation *r, const struct loss *l,
                       enum ww_grade grade)
{
    uint32_t value = value_of(m, r, l->write);
    ww_str text = ww_quotable(m, value);
    struct claim c = { .guarantee = WW_READ_YOUR_WRITES,
                       .grade = grade,
                       .cause = cause_of(m, l),
                       .step = l->lost,
                       .place = ww_word_text(&m->normal, r->example.field),
                       .table = both(r),
                       .telling = how_telling(m, r, value) };
    bool shown = l->again || l->before || l->late;

    c.occurrences = c.table.changed_lost;
    c.message =
        ww_arena_printf(&m->arena, WW_STRF " %s \"" WW_STRF "\", but " WW_STRF " %s%s%d%s",
                        WW_STRV(ww_step_words(m, l->write)),
                        c.telling == 0 || c.telling == 3 ? "gave out" : "wrote", WW_STRV(text),
                        WW_STRV(ww_step_words(m, l->lost)),
                        r->example.place ? "does not know it" : "does not show it",
                        shown ? "; worker " : "; it was written by worker ",
                        (int)ww_step_pid(m, l->write), shown ? " does" : "");
    ww_claim_witness(&c, m, l->write, "write", text);
    if (l->kept != l->write)
        ww_claim_witness(&c, m, l->kept, "read-kept", text);
    ww_claim_witness(&c, m, l->lost, "read-lost", text);
    ww_claim(m, &c);
    if (c.grade >= WW_LIKELY)
        m->blamed[l->lost] = true;
}

void ww_relation_claim(struct model *m, const struct relation *r)
{
    if (both(r).same_lost > 0)
        return;
    for (enum leg from = FROM_WRITE; from <= FROM_READ; from++) {
        if (r->tally[from].has_best)
            claim_loss(m, r, &r->tally[from].best, grade_of(m, r, from));
    }
    if (r->homebound > 0 && !r->abroad && r->home_odds <= ODDS_LIKELY) {
        claim_loss(m, r, &r->home,
                   r->homebound > 1 && r->home_odds <= HOME_CERTAIN ? WW_CONFIRMED : WW_LIKELY);
    }
}

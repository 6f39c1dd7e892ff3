/* A selection of a verdict: indices fit, what belongs together stays together, nothing is
 * judged. */
#include "cars_verdict.h"
#include "check.h"

#include <whichworker/filter.h>

#include <stdlib.h>

#define ROUNDS 2000

static bool holds(const size_t *v, size_t n, size_t what)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] == what)
            return true;
    return false;
}

/* The exchange that a split into this one came from. */
static uint64_t from_of(const struct ww_verdict *v, uint64_t to)
{
    for (size_t i = 0; i < v->splits; i++)
        if (v->step[v->split[i].to].exchange == to)
            return v->step[v->split[i].from].exchange;
    return 0;
}

/* All that must be true of any selection. */
static void check(const struct ww_verdict *of, const struct ww_selection *s, const bool *wanted,
                  enum ww_selecting how)
{
    const struct ww_verdict *v = &s->verdict;
    size_t in_sessions = 0;

    assert_int_equal(v->value, of->value);
    assert_ptr_equal(v->why.ptr, of->why.ptr);
    assert_ptr_equal(v->worker, of->worker);
    for (size_t i = 0; i < v->steps; i++) {
        const struct ww_step *step = &v->step[i];

        assert_true(i == 0 || s->step[i] > s->step[i - 1]);
        assert_int_equal(step->exchange, of->step[s->step[i]].exchange);
        assert_true(step->session < v->sessions);
        assert_string_equal(v->session[step->session].id,
                            of->session[of->step[s->step[i]].session].id);
        assert_int_equal(step->split, of->step[s->step[i]].split);
        assert_true(how == WW_SELECT_PROOFS || wanted[s->step[i]]);
    }
    for (size_t i = 0; i < of->steps; i++)
        assert_true(!wanted[i] || holds(s->step, v->steps, i));
    for (size_t i = 0; i < v->sessions; i++) {
        in_sessions += v->session[i].steps;
        assert_true(v->session[i].steps > 0);
        for (size_t k = 0; k < v->session[i].steps; k++)
            assert_int_equal(v->step[v->session[i].step[k]].session, i);
    }
    assert_int_equal(in_sessions, v->steps);
    for (size_t i = 0; i < v->splits; i++) {
        assert_true(v->split[i].from < v->steps && v->split[i].to < v->steps);
        assert_true(v->step[v->split[i].to].split);
        assert_int_equal(v->step[v->split[i].from].exchange,
                         from_of(of, v->step[v->split[i].to].exchange));
        assert_int_equal(v->step[v->split[i].to].session, v->split[i].session);
    }
    for (size_t i = 0; i < v->findings; i++) {
        const struct ww_finding *f = &v->finding[i], *was = &of->finding[s->finding[i]];
        bool any = false;

        assert_string_equal(f->id, was->id);
        assert_string_equal(v->session[f->session].id, of->session[was->session].id);
        size_t left = 0;
        for (size_t k = 0; k < was->evidences; k++) {
            bool is_wanted = wanted[was->evidence[k].step];

            any = any || is_wanted;
            if (how == WW_SELECT_ALONE && !is_wanted)
                continue;
            assert_int_equal(v->step[f->evidence[left++].step].exchange,
                             of->step[was->evidence[k].step].exchange);
        }
        assert_int_equal(f->evidences, left);
        assert_true(any);
    }
}

static void any_selection_holds_together(void **state)
{
    struct cars *c = calloc(1, sizeof(*c));
    bool wanted[CARS_STEPS];
    uint64_t seed = 3;

    (void)state;
    cars_lost(c);
    assert_true(c->v.findings > 0 && c->v.splits > 0);
    for (int round = 0; round < ROUNDS; round++) {
        struct ww_selection s;

        for (size_t i = 0; i < c->v.steps; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            wanted[i] = (seed >> 33) % (unsigned)(1 + round % 7) == 0;
        }
        for (int how = WW_SELECT_ALONE; how <= WW_SELECT_PROOFS; how++) {
            ww_selection_init(&s, &c->v, wanted, (enum ww_selecting)how);
            check(&c->v, &s, wanted, (enum ww_selecting)how);
            ww_selection_release(&s);
        }
    }
    free(c);
}

static void all_is_all_and_nothing_is_nothing(void **state)
{
    struct cars *c = calloc(1, sizeof(*c));
    bool wanted[CARS_STEPS] = { false };
    struct ww_selection s = { 0 };

    (void)state;
    ww_selection_release(&s);
    cars_lost(c);
    ww_selection_init(&s, &c->v, wanted, WW_SELECT_PROOFS);
    assert_int_equal(
        s.verdict.steps + s.verdict.sessions + s.verdict.findings + s.verdict.splits, 0);
    ww_selection_release(&s);
    memset(wanted, true, sizeof(wanted));
    ww_selection_init(&s, &c->v, wanted, WW_SELECT_PROOFS);
    assert_int_equal(s.verdict.steps, c->v.steps);
    assert_int_equal(s.verdict.sessions, c->v.sessions - 1); /* the last has no exchange */
    assert_int_equal(s.verdict.findings, c->v.findings);
    assert_int_equal(s.verdict.splits, c->v.splits);
    ww_selection_release(&s);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_selection_holds_together),
        cmocka_unit_test(all_is_all_and_nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

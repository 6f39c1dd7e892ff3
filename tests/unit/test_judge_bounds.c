/* The judge over traces that are made to be slow: what it takes grows as they do, not faster.
 */
#include <whichworker/judge.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>
#include <time.h>

/* Of the processor. Each trace takes a fraction of one, and minutes where it is quadratic. */
#define SECONDS_MAX 10

struct bounds {
    struct ww_judge *judge;
    clock_t began;
    uint64_t exchanges;
    int64_t now_us;
};

static int begin(void **state)
{
    static struct bounds b;
    struct ww_judge_config cfg = { 0 };

    b = (struct bounds){ .judge = ww_judge_new(&cfg), .began = clock() };
    *state = &b;
    return 0;
}

static int end(void **state)
{
    struct bounds *b = *state;

    ww_judge_free(b->judge);
    return 0;
}

static struct ww_exchange *exchange(struct bounds *b, int32_t pid, const char *method,
                                    const char *target)
{
    struct ww_exchange *x = ww_exchange_new(16u << 20);

    x->id = ++b->exchanges;
    x->connection = 1;
    x->client = WW_STR("127.0.0.1");
    x->method = ww_str_c(method);
    x->target = ww_str_c(target);
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = pid, .start_ticks = 1 };
    x->started_us = b->now_us + 10;
    x->ended_us = b->now_us = x->started_us + 10;
    x->status = 200;
    x->end = WW_END_COMPLETE;
    return x;
}

static void answer(struct bounds *b, struct ww_exchange *x, const char *type, ww_str body)
{
    ww_fields_add(&x->response_fields, &x->arena, WW_STR("Content-Type"), ww_str_c(type));
    x->response_body = (struct ww_body){ .bytes = body, .size = body.len };
    ww_judge_exchange(b->judge, x);
    ww_exchange_free(x);
}

/* Where every instruction costs fifty (valgrind). */
static int scaled(int n)
{
    const char *text = getenv("WHICHWORKER_TEST_FEWER");
    uint64_t fewer = 1;

    if (text == NULL || !ww_str_u64(ww_str_c(text), &fewer) || fewer == 0)
        fewer = 1;
    return n / (int)fewer;
}

static void ends_in_time(struct bounds *b)
{
    assert_non_null(ww_judge_finish(b->judge));
    assert_true(clock() - b->began < SECONDS_MAX * CLOCKS_PER_SEC);
}

/* A list of numbers, none of which stands alone at its place. */
static void long_lists_of_numbers(void **state)
{
    struct bounds *b = *state;

    for (int i = 0; i < scaled(300); i++) {
        struct ww_exchange *x = exchange(b, 1 + i % 2, "GET", "/list");
        struct ww_buf list;
        ww_buf_init(&list, 1u << 20);
        for (int k = 0; k < 8000; k++) {
            ww_buf_printf(&list, "%c%d", k == 0 ? '[' : ',', i % 30 + k);
        }
        ww_buf_add_char(&list, ']');
        answer(b, x, "application/json", ww_buf_str(&list));
        ww_buf_release(&list);
    }
    ends_in_time(b);
}

/* Each & might begin an entity, and none ends. */
static void a_word_of_ampersands(void **state)
{
    struct bounds *b = *state;
    size_t len = (size_t)scaled(4 << 20);
    char *word = ww_xmalloc(len);

    memset(word, '&', len);
    answer(b, exchange(b, 1, "GET", "/"), "text/html", ww_str_n(word, len));
    free(word);
    ends_in_time(b);
}

/* Workers that come and go, each with its own key for the same content. */
static void thousands_of_signers(void **state)
{
    struct bounds *b = *state;

    for (int i = 0; i < scaled(8000); i++) {
        struct ww_exchange *x = exchange(b, 1 + i, "GET", "/");
        ww_str value = ww_arena_printf(&x->arena, "e30.%d", i);
        struct ww_payload p = {
            .value = value, .form = "itsdangerous", .json = WW_STR("{}"), .content = WW_STR("c")
        };
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"),
                      ww_arena_printf(&x->arena, "session=" WW_STRF, WW_STRV(value)));
        ww_judge_payload(b->judge, &p);
        answer(b, x, "text/plain", WW_STR("ok"));
    }
    ends_in_time(b);
}

/* A token that every answer renews. */
static void tokens_that_are_used_once(void **state)
{
    struct bounds *b = *state;

    for (int i = 0; i < scaled(60000); i++) {
        struct ww_exchange *x = exchange(b, 1 + i % 2, "POST", "/auth/refresh");
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Authorization"),
                      ww_arena_printf(&x->arena, "Bearer tok%08dabcdefghijkl", i));
        answer(b, x, "application/json",
               ww_arena_printf(&x->arena, "{\"access_token\":\"tok%08dabcdefghijkl\"}", i + 1));
    }
    ends_in_time(b);
}

static bool finds_a_loss(size_t max_words)
{
    struct ww_judge_config cfg = { .max_words = max_words };
    struct bounds b = { .judge = ww_judge_new(&cfg) };
    struct ww_exchange *x = exchange(&b, 1, "GET", "/words");
    struct ww_buf words;

    ww_buf_init(&words, 1 << 16);
    for (int i = 0; i < 200; i++) {
        ww_buf_printf(&words, "new%d ", i);
    }
    answer(&b, x, "text/plain", ww_arena_dup(&x->arena, ww_buf_str(&words)));
    ww_buf_release(&words);
    for (int i = 0; i < 12; i++) {
        x = exchange(&b, 1 + i % 2, "GET", "/list");
        answer(&b, x, "application/json",
               i % 2 == 0 ? WW_STR("{\"items\":[\"lamp\"]}") : WW_STR("{\"items\":[]}"));
    }
    bool found = ww_judge_finish(b.judge)->findings > 0;
    ww_judge_free(b.judge);
    return found;
}

static void bodies_beyond_the_words_are_not_compared(void **state)
{
    assert_true(finds_a_loss(0));
    assert_true(finds_a_loss(100000));
    assert_false(finds_a_loss(200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(long_lists_of_numbers, begin, end),
        cmocka_unit_test_setup_teardown(a_word_of_ampersands, begin, end),
        cmocka_unit_test_setup_teardown(thousands_of_signers, begin, end),
        cmocka_unit_test_setup_teardown(tokens_that_are_used_once, begin, end),
        cmocka_unit_test(bodies_beyond_the_words_are_not_compared),
    };

    return cmocka_run_group_tests_name("judge_bounds", tests, NULL, NULL);
}

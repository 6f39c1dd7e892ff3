/* bench: how long the judge takes for 100,000 exchanges, many short sessions and one long one.
 */
#include <whichworker/judge.h>
#include <whichworker/units.h>

#include <stdio.h>

#define EXCHANGES 100000
#define EPOCH_US  (1700000000 * (int64_t)1000000)

/* Steps of a journey; as many as `length` times these make a session. */
static void exchange(struct ww_judge *j, size_t i, size_t length)
{
    struct ww_exchange *x = ww_exchange_new(1 << 16);
    size_t session = i / length, part = i % 3;
    struct ww_buf b;

    x->id = i + 1;
    x->client = WW_STR("127.0.0.1");
    x->method = part == 1 ? WW_STR("POST") : WW_STR("GET");
    x->target = part == 1 ? WW_STR("/cars/add") : WW_STR("/cars");
    x->started_us = EPOCH_US + (int64_t)i * 100;
    x->ended_us = x->started_us + 90;
    x->status = 200;
    x->end = WW_END_COMPLETE;
    x->by = WW_BY_KERNEL;
    x->worker = (struct ww_worker_id){ .pid = 100 + (int32_t)(i * 7 % 4), .start_ticks = 1 };
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("Cookie"),
                  ww_arena_printf(&x->arena, "session=mac:%zu", session));
    ww_buf_init(&b, 1 << 14);
    if (part == 1) {
        ww_buf_printf(&b, "{\"name\":\"car%zu\",\"brand\":\"Ford\",\"price\":%zu}", i, i % 100);
        x->request_body.bytes = ww_arena_dup(&x->arena, ww_buf_str(&b));
        x->request_body.size = b.len;
        x->response_body = (struct ww_body){ WW_STR("{\"successful\":true}"), 19 };
    } else {
        ww_buf_add_c(&b, "{\"cars\":[");
        for (size_t k = 0; k < 8; k++) {
            ww_buf_printf(&b, "%s{\"name\":\"car%zu\",\"brand\":\"Ford\"}", k > 0 ? "," : "",
                          i < k ? k : i - k);
        }
        ww_buf_add_c(&b, "]}");
        x->response_body.bytes = ww_arena_dup(&x->arena, ww_buf_str(&b));
        x->response_body.size = b.len;
    }
    ww_buf_release(&b);
    ww_judge_exchange(j, x);
    ww_exchange_free(x);
}

static void bench(size_t length)
{
    struct ww_judge_config cfg = { .fail_on = WW_FAIL_ON_LIKELY };
    struct ww_judge *j = ww_judge_new(&cfg);
    int64_t from = ww_clock_mono_us();

    for (size_t i = 0; i < EXCHANGES; i++) {
        exchange(j, i, length);
    }
    int64_t fed = ww_clock_mono_us();
    const struct ww_verdict *v = ww_judge_finish(j);
    int64_t done = ww_clock_mono_us();
    printf("%zu sessions of %zu: fed in %.2f s, judged in %.2f s: %s, %zu splits\n",
           v->sessions, length, (double)(fed - from) / 1e6, (double)(done - fed) / 1e6,
           ww_verdict_token(v->value), v->splits);
    ww_judge_free(j);
}

int main(void)
{
    bench(6);
    bench(EXCHANGES);
    return 0;
}

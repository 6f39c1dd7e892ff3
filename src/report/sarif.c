/* SARIF 2.1.0, as GitHub's code scanning reads it. */
/*
 * Traffic has no source file. A finding's artifact is the file that the policy names (a
 * configuration that is in the repository), else the route as a path under the base
 * APPLICATION; the route is its logical location too. What tells the same finding from run to
 * run is its partial fingerprint: guarantee, method, route and place.
 */
#include "formats.h"
#include "words.h"

#include <whichworker/json.h>
#include <whichworker/units.h>

#include <inttypes.h>
#include <stdio.h>

#define MAX_TEXT 65536 /* bytes of a message */

/* ---- texts */

/* A "](" would make a link of a message (SARIF 2.1.0 3.11.6). */
static void add_text(struct ww_buf *out, ww_str s)
{
    struct ww_buf shown;
    ptrdiff_t at;

    ww_buf_init(&shown, MAX_TEXT);
    ww_words_add(&shown, s);
    ww_str rest = ww_buf_str(&shown);
    while ((at = ww_str_find(rest, WW_STR("]("))) >= 0) {
        ww_buf_add(out, ww_str_upto(rest, (size_t)at + 1));
        ww_buf_add_c(out, "\\x28");
        rest = ww_str_from(rest, (size_t)at + 2);
    }
    ww_buf_add(out, rest);
    ww_buf_release(&shown);
}

/* "key": { "text": s } */
static void put_message(struct ww_json *j, const char *key, ww_str s)
{
    struct ww_buf b;

    ww_buf_init(&b, MAX_TEXT);
    add_text(&b, s);
    ww_json_obj(j, key);
    ww_json_str(j, "text", ww_buf_str(&b));
    ww_json_end(j);
    ww_buf_release(&b);
}

static void put_time(struct ww_json *j, const char *key, int64_t us)
{
    char text[WW_TIME_TEXT];

    if (us == 0)
        return;
    ww_time_text(us, text);
    ww_json_str(j, key, ww_str_c(text));
}

/* ---- where */

static bool stays_in_uri(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
}

/* A relative reference (RFC 3986 4.2), below the application's root. */
static void add_uri(struct ww_buf *out, ww_str path)
{
    while (ww_str_starts(path, WW_STR("/")))
        path = ww_str_from(path, 1);
    if (path.len == 0)
        ww_buf_add_c(out, ".");
    for (size_t i = 0; i < path.len && i < 2000; i++) {
        if (stays_in_uri(path.ptr[i]))
            ww_buf_add_char(out, path.ptr[i]);
        else
            ww_buf_printf(out, "%%%02X", (unsigned)(unsigned char)path.ptr[i]);
    }
}

static void put_artifact(struct ww_json *j, const struct ww_report_policy *policy, ww_str path)
{
    struct ww_buf uri;

    ww_buf_init(&uri, MAX_TEXT);
    ww_json_obj(j, "artifactLocation");
    if (policy->file.len > 0) {
        add_uri(&uri, policy->file);
        ww_json_str(j, "uri", ww_buf_str(&uri));
    } else {
        add_uri(&uri, path);
        ww_json_str(j, "uri", ww_buf_str(&uri));
        ww_json_str(j, "uriBaseId", WW_STR("APPLICATION"));
    }
    ww_json_end(j);
    ww_buf_release(&uri);
}

/* route: "GET /cars/{id}". */
static void put_location(struct ww_json *j, const char *key,
                         const struct ww_report_policy *policy, ww_str route)
{
    struct ww_buf shown;
    ww_str path = route, method;

    ww_str_cut(&path, ' ', &method);
    ww_buf_init(&shown, MAX_TEXT);
    ww_words_cut(&shown, route, 1000);
    ww_json_obj(j, key);
    ww_json_obj(j, "physicalLocation");
    put_artifact(j, policy, path);
    ww_json_obj(j, "region");
    ww_json_int(j, "startLine", 1);
    ww_json_end(j);
    ww_json_end(j);
    ww_json_arr(j, "logicalLocations");
    ww_json_obj(j, NULL);
    ww_json_str(j, "fullyQualifiedName", ww_buf_str(&shown));
    ww_json_str(j, "kind", WW_STR("resource"));
    ww_json_end(j);
    ww_json_end(j);
    ww_buf_release(&shown);
}

/* ---- the tool and its rules */

static void put_rule(struct ww_json *j, enum ww_guarantee g)
{
    char sentence[128];

    snprintf(sentence, sizeof(sentence), "%s.", ww_guarantee_words(g));
    if (sentence[0] >= 'a' && sentence[0] <= 'z')
        sentence[0] = (char)(sentence[0] - 'a' + 'A');
    ww_json_obj(j, NULL);
    ww_json_str(j, "id", ww_str_c(ww_guarantee_token(g)));
    put_message(j, "shortDescription", ww_str_c(sentence));
    put_message(j, "fullDescription",
                WW_STR("A client session was served by several worker processes of one "
                       "application, and saw them disagree."));
    put_message(j, "help",
                WW_STR("State that one worker process keeps for itself is not there for the "
                       "others. Share it (a database, a cache, one signing key), or keep a "
                       "session on one worker."));
    ww_json_obj(j, "defaultConfiguration");
    ww_json_str(j, "level", WW_STR("error"));
    ww_json_end(j);
    ww_json_end(j);
}

static void put_tool(struct ww_json *j)
{
    ww_json_obj(j, "tool");
    ww_json_obj(j, "driver");
    ww_json_str(j, "name", WW_STR("whichworker"));
    ww_json_str(j, "version", WW_STR(WW_VERSION));
    ww_json_str(j, "semanticVersion", WW_STR(WW_VERSION));
    ww_json_arr(j, "rules");
    for (int g = 0; g < WW_GUARANTEES; g++)
        put_rule(j, (enum ww_guarantee)g);
    ww_json_end(j);
    ww_json_end(j);
    ww_json_end(j);
}

/* ---- results */

static const char *level_of(enum ww_standing s, enum ww_grade grade)
{
    if (s == WW_COUNTS)
        return "error";
    return grade >= WW_LIKELY ? "warning" : "note";
}

static void put_step(struct ww_json *j, const struct ww_report_policy *policy,
                     const struct ww_verdict *v, const struct ww_evidence *e, size_t order)
{
    const struct ww_step *s = &v->step[e->step];
    struct ww_buf b;

    ww_buf_init(&b, MAX_TEXT);
    ww_buf_printf(&b, "#%" PRIu64 " ", s->exchange);
    ww_buf_add(&b, ww_str_upto(s->method, 100));
    ww_buf_add_char(&b, ' ');
    ww_buf_add(&b, ww_str_upto(s->target, 1000));
    if (s->worker == WW_NO_WORKER)
        ww_buf_printf(&b, ", worker unknown");
    else
        ww_buf_printf(&b, " on worker %" PRId32, v->worker[s->worker].worker.id.pid);
    ww_buf_printf(&b, ", status %u: %s", s->status, e->role);
    if (e->value.len > 0) {
        ww_buf_add_c(&b, ": ");
        ww_buf_add(&b, ww_str_upto(e->value, 1000));
    }
    ww_json_obj(j, NULL);
    put_location(j, "location", policy, v->route[s->route]);
    put_message(j, "message", ww_buf_str(&b));
    ww_json_end(j);
    ww_json_int(j, "executionOrder", (int64_t)order);
    put_time(j, "executionTimeUtc", s->started_us);
    ww_json_str(j, "importance", WW_STR("essential"));
    ww_json_end(j);
    ww_buf_release(&b);
}

static void put_code_flow(struct ww_json *j, const struct ww_report_policy *policy,
                          const struct ww_verdict *v, const struct ww_finding *f)
{
    if (f->evidences == 0)
        return;
    ww_json_arr(j, "codeFlows");
    ww_json_obj(j, NULL);
    ww_json_arr(j, "threadFlows");
    ww_json_obj(j, NULL);
    ww_json_arr(j, "locations");
    for (size_t i = 0; i < f->evidences; i++)
        put_step(j, policy, v, &f->evidence[i], i + 1);
    ww_json_end(j);
    ww_json_end(j);
    ww_json_end(j);
    ww_json_end(j);
    ww_json_end(j);
}

static void put_suppression(struct ww_json *j, ww_str why)
{
    struct ww_buf b;

    ww_buf_init(&b, MAX_TEXT);
    ww_words_add(&b, why.len > 0 ? why : WW_STR("no reason given"));
    ww_json_arr(j, "suppressions");
    ww_json_obj(j, NULL);
    ww_json_str(j, "kind", WW_STR("external"));
    ww_json_str(j, "status", WW_STR("accepted"));
    ww_json_str(j, "justification", ww_buf_str(&b));
    ww_json_end(j);
    ww_json_end(j);
    ww_buf_release(&b);
}

static void put_properties(struct ww_json *j, const struct ww_finding *f)
{
    struct ww_buf place;

    ww_buf_init(&place, MAX_TEXT);
    ww_words_add(&place, f->place);
    ww_json_obj(j, "properties");
    ww_json_str(j, "grade", ww_str_c(ww_grade_token(f->grade)));
    ww_json_str(j, "cause", ww_str_c(ww_cause_token(f->cause)));
    ww_json_str(j, "place", ww_buf_str(&place));
    ww_json_int(j, "lost_when_worker_changed", (int64_t)f->table.changed_lost);
    ww_json_int(j, "kept_when_worker_changed", (int64_t)f->table.changed_kept);
    ww_json_int(j, "lost_on_same_worker", (int64_t)f->table.same_lost);
    ww_json_int(j, "kept_on_same_worker", (int64_t)f->table.same_kept);
    ww_json_end(j);
    ww_buf_release(&place);
}

/* "message. Cause. Remedy" */
static void put_words(struct ww_json *j, const struct ww_finding *f)
{
    struct ww_buf b;

    ww_buf_init(&b, MAX_TEXT);
    ww_buf_add(&b, ww_str_upto(f->message, 4000));
    ww_buf_printf(&b, ". Cause: %s (%s). ", ww_cause_words(f->cause), ww_cause_token(f->cause));
    ww_buf_add(&b, f->fix);
    put_message(j, "message", ww_buf_str(&b));
    ww_buf_release(&b);
}

static void put_result(struct ww_json *j, const struct ww_report_policy *policy,
                       const struct ww_verdict *v, size_t finding)
{
    const struct ww_finding *f = &v->finding[finding];
    struct ww_report_standing s = ww_report_standing_of(v, policy, finding);
    char fingerprint[WW_FINGERPRINT_TEXT];
    struct ww_buf route;

    ww_words_fingerprint(f, fingerprint);
    ww_buf_init(&route, MAX_TEXT);
    ww_buf_add(&route, ww_str_upto(f->method, 1000));
    ww_buf_add_char(&route, ' ');
    ww_buf_add(&route, ww_str_upto(f->route, 10000));
    ww_json_obj(j, NULL);
    ww_json_str(j, "ruleId", ww_str_c(ww_guarantee_token(f->guarantee)));
    ww_json_int(j, "ruleIndex", (int64_t)f->guarantee);
    ww_json_str(j, "level", ww_str_c(level_of(s.is, f->grade)));
    put_words(j, f);
    ww_json_arr(j, "locations");
    put_location(j, NULL, policy, ww_buf_str(&route));
    ww_json_end(j);
    ww_json_end(j);
    ww_json_obj(j, "partialFingerprints");
    ww_json_str(j, "whichworkerFinding/v1", ww_str_c(fingerprint));
    ww_json_end(j);
    put_code_flow(j, policy, v, f);
    ww_json_int(j, "occurrenceCount", (int64_t)(f->occurrences > 0 ? f->occurrences : 1));
    if (s.is == WW_ACCEPTED)
        put_suppression(j, s.why);
    put_properties(j, f);
    ww_json_end(j);
    ww_buf_release(&route);
}

/* ---- the run */

static void put_notification(struct ww_json *j, const char *level, ww_str what, ww_str more)
{
    struct ww_buf b;

    ww_buf_init(&b, MAX_TEXT);
    ww_buf_add(&b, ww_str_upto(what, 4000));
    if (more.len > 0) {
        ww_buf_add_c(&b, ": it is ");
        ww_buf_add(&b, ww_str_upto(more, 1000));
    }
    ww_json_obj(j, NULL);
    ww_json_str(j, "level", ww_str_c(level));
    put_message(j, "message", ww_buf_str(&b));
    ww_json_end(j);
    ww_buf_release(&b);
}

/* Whether a result says why the verdict is what it is. */
static bool is_told(const struct ww_verdict *v, const struct ww_report_policy *policy)
{
    if (v->value == WW_PASS)
        return true;
    for (size_t i = 0; i < v->findings && v->value == WW_FAIL; i++) {
        if (ww_report_standing_of(v, policy, i).is == WW_COUNTS)
            return true;
    }
    return false;
}

/* What is no finding: a run that came to nothing, doubt, thresholds. */
static void put_invocation(struct ww_json *j, const struct ww_verdict *v,
                           const struct ww_report_policy *policy)
{
    ww_json_arr(j, "invocations");
    ww_json_obj(j, NULL);
    ww_json_bool(j, "executionSuccessful", policy->trouble.ptr == NULL);
    put_time(j, "startTimeUtc", v->run.started_us);
    put_time(j, "endTimeUtc", v->run.ended_us);
    ww_json_arr(j, "toolExecutionNotifications");
    if (policy->trouble.ptr != NULL)
        put_notification(j, "error", policy->trouble, (ww_str){ 0 });
    if (!is_told(v, policy))
        put_notification(j, v->value == WW_FAIL ? "error" : "warning", v->why, (ww_str){ 0 });
    for (size_t i = 0; i < policy->requirements; i++) {
        const struct ww_report_requirement *r = &policy->requirement[i];

        if (!r->met)
            put_notification(j, r->too_little ? "warning" : "error", r->text, r->actual);
    }
    ww_json_end(j);
    ww_json_end(j);
    ww_json_end(j);
}

static void put_run_properties(struct ww_json *j, const struct ww_verdict *v)
{
    ww_json_obj(j, "properties");
    ww_json_str(j, "verdict", ww_str_c(ww_verdict_token(v->value)));
    ww_json_int(j, "exchanges", (int64_t)v->steps);
    ww_json_int(j, "sessions", (int64_t)v->sessions);
    ww_json_int(j, "splits", (int64_t)v->splits);
    ww_json_num(j, "coverage", v->coverage);
    ww_json_str(j, "upstream_connections", ww_str_c(v->run.upstream_connections));
    ww_json_str(j, "schedule", ww_str_c(v->run.schedule));
    ww_json_end(j);
}

static void put_run(struct ww_json *j, const struct ww_verdict *v,
                    const struct ww_report_policy *policy)
{
    ww_json_obj(j, NULL);
    put_tool(j);
    put_invocation(j, v, policy);
    ww_json_obj(j, "originalUriBaseIds");
    ww_json_obj(j, "APPLICATION");
    put_message(j, "description", WW_STR("The routes of the application."));
    ww_json_end(j);
    ww_json_end(j);
    ww_json_str(j, "columnKind", WW_STR("unicodeCodePoints"));
    ww_json_arr(j, "results");
    for (size_t i = 0; i < v->findings; i++)
        put_result(j, policy, v, i);
    ww_json_end(j);
    put_run_properties(j, v);
    ww_json_end(j);
}

void ww_report_sarif(const struct ww_verdict *v, const struct ww_report_style *style,
                     struct ww_buf *out)
{
    struct ww_json j;

    ww_json_init(&j, out, true);
    ww_json_obj(&j, NULL);
    ww_json_str(&j, "$schema", WW_STR("https://json.schemastore.org/sarif-2.1.0.json"));
    ww_json_str(&j, "version", WW_STR("2.1.0"));
    ww_json_arr(&j, "runs");
    put_run(&j, v, &style->policy);
    ww_json_end(&j);
    ww_json_end(&j);
    ww_json_finish(&j);
}

/* Answers: how the load generator reads one, verifies it, and keeps what it measured. */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H
#include "serve_net.h"

enum { ANSWERED, REFUSED, CUT, LOST, LATE, LEFT, WRONG, OUTCOMES };
static const char *const outcome_names[] = {"answered", "refused", "cut",  "lost",
                                            "late",     "left",    "wrong"};
enum { IDLE, CONNECTING, ASKING };

struct client {
    int fd, state, watched, fresh;
    struct bytes in, out, body;
    int64_t free_us, scheduled_us, asked_us, first_us;
    int headed, status, chunked, closes, chunk_state, is_stream, done, wrong;
    int64_t length, chunk_left;
    int number, tokens, leave_at, answers;
    int64_t prompt, cached, completion;
    char request_id[64];
};

struct samples {
    double *at;
    size_t count, room;
};

static struct {
    int port, connections, stream, tokens, body_bytes, leave_permille, usage, start;
    int head, heads_told;
    int64_t requests, gap_us, first_us, spread_us, seed, timeout_us, rest_us;
    double seconds, rate;
    const char *key, *model, *log;
} asked = {.connections = 1, .tokens = 64, .body_bytes = 1024, .usage = 1, .seconds = 600,
           .requests = 1LL << 60, .timeout_us = 60000000, .model = "small", .seed = 1,
           .rest_us = 5000};

static int64_t counts[OUTCOMES], statuses[600], begun, ended, cannot_connect, begun_streams;
static int64_t prompt_sum, cached_sum, completion_sum, token_sum, last_us;
static struct samples whole_us, first_us, event_us;
static FILE *log_file;

static void keep(struct samples *s, double value) {
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 4096;
        s->at = realloc(s->at, s->room * sizeof *s->at);
        if (!s->at) die("memory");
    }
    s->at[s->count++] = value;
}

static int by_size(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void tell_samples(const char *name, struct samples *s) {
    static const double shares[] = {0.5, 0.9, 0.99, 0.999};
    static const char *const names[] = {"p50", "p90", "p99", "p999"};
    double sum = 0;
    printf(",\"%s\":{\"count\":%zu", name, s->count);
    if (s->count) {
        qsort(s->at, s->count, sizeof *s->at, by_size);
        for (size_t i = 0; i < s->count; i++) sum += s->at[i];
        for (int i = 0; i < 4; i++)
            printf(",\"%s_ms\":%.4f", names[i], s->at[(size_t)(shares[i] * (double)(s->count - 1) + 0.5)] / 1e3);
        printf(",\"max_ms\":%.4f,\"mean_ms\":%.4f", s->at[s->count - 1] / 1e3,
               sum / (double)s->count / 1e3);
    }
    printf("}");
}

static uint32_t drawn(void) {
    asked.seed = asked.seed * 6364136223846793005LL + 1442695040888963407LL;
    return (uint32_t)((uint64_t)asked.seed >> 33);
}

static void end(struct client *c, int outcome);

static int own(struct client *c, const char *text, size_t size) {
    char mark[16];
    snprintf(mark, sizeof mark, "n=%08d", c->number % 100000000);
    return memmem(text, size, mark, 10) != NULL;
}

static void read_usage(struct client *c, const char *text, size_t size) {
    c->prompt = number_after(text, size, "\"prompt_tokens\"", c->prompt);
    c->cached = number_after(text, size, "\"cached_tokens\"", c->cached < 0 ? 0 : c->cached);
    c->completion = number_after(text, size, "\"completion_tokens\"", c->completion);
}

static void read_line(struct client *c, const char *line, size_t size) {
    if (size < 6 || strncmp(line, "data:", 5)) return;
    if (memmem(line, size < 16 ? size : 16, "[DONE]", 6)) {
        c->done = 1;
        return;
    }
    int64_t now = now_us();
    const char *text = memmem(line, size, "\"content\":\"", 11);
    int64_t left_us = text && text + 16 <= line + size && text[15] == '"' ? stamped_us(text + 11, now) : -1;
    if (left_us >= 0) {
        if (!c->tokens++) {
            c->first_us = now;
            keep(&first_us, (double)(now - c->scheduled_us));
        }
        keep(&event_us, (double)(now - left_us));
        if (!own(c, line, size)) c->wrong = 1;
    }
    if (memmem(line, size, "\"prompt_tokens\"", 15)) read_usage(c, line, size);
    if (memmem(line, size, "\"error\"", 7)) c->wrong = 2;
}

static void take_body(struct client *c, const char *text, size_t size) {
    put(&c->body, text, size);
    if (!c->is_stream) return;
    for (char *line; held(&c->body) && (line = memchr(begin(&c->body), '\n', held(&c->body)));) {
        read_line(c, begin(&c->body), (size_t)(line - begin(&c->body)));
        c->body.from = (size_t)(line - c->body.at) + 1;
    }
}

static void whole(struct client *c) {
    const char *text = begin(&c->body);
    size_t size = held(&c->body);
    if (c->status != 200) {
        end(c, REFUSED);
    } else if (c->is_stream) {
        int fine = c->done && !c->wrong && c->tokens == asked.tokens &&
                   (!asked.usage || c->completion == asked.tokens);
        end(c, c->wrong == 1 ? WRONG : fine ? ANSWERED : c->done && !c->wrong ? WRONG : CUT);
    } else {
        read_usage(c, text, size);
        c->tokens = (int)c->completion;
        end(c, !asked.stream && own(c, text, size) && c->completion == asked.tokens ? ANSWERED
                                                                                   : WRONG);
    }
}

static int take_head(struct client *c) {
    char *head = begin(&c->in), *stop = memmem(head, held(&c->in), "\r\n\r\n", 4);
    if (!stop) return 0;
    size_t size = (size_t)(stop - head) + 4;
    const char *found;
    c->headed = 1;
    c->status = size > 12 ? atoi(head + 9) : 0;
    if ((found = header(head, size, "content-length"))) c->length = strtoll(found, NULL, 10);
    if ((found = header(head, size, "transfer-encoding"))) c->chunked = !strncasecmp(found, "chunked", 7);
    if ((found = header(head, size, "connection"))) c->closes = !strncasecmp(found, "close", 5);
    if ((found = header(head, size, "content-type")))
        c->is_stream = c->status == 200 && !strncasecmp(found, "text/event-stream", 17);
    if ((found = header(head, size, "x-tokenergy-request-id")))
        snprintf(c->request_id, sizeof c->request_id, "%.*s", (int)strcspn(found, "\r\n"), found);
    if (asked.head && !asked.heads_told++) fprintf(stderr, "%.*s", (int)size, head);
    c->in.from += size;
    return 1;
}

/* Take what has come of a chunked body; 1 at its end, -1 where it is broken. */
static int take_chunks(struct client *c) {
    while (held(&c->in)) {
        if (c->chunk_left > 0) {
            size_t size = held(&c->in);
            if ((int64_t)size > c->chunk_left) size = (size_t)c->chunk_left;
            take_body(c, begin(&c->in), size);
            c->in.from += size;
            c->chunk_left -= (int64_t)size;
            if (!c->chunk_left) c->chunk_state = 1;
            continue;
        }
        char *line = begin(&c->in), *stop = memchr(line, '\n', held(&c->in));
        if (!stop) return 0;
        c->in.from += (size_t)(stop - line) + 1;
        if (c->chunk_state == 1) { /* the line end after a chunk */
            c->chunk_state = 0;
            continue;
        }
        if (c->chunk_state == 2) { /* trailers, then an empty line */
            if (stop - line <= 1) return 1;
            continue;
        }
        if (!isxdigit((unsigned char)*line)) return -1;
        c->chunk_left = strtoll(line, NULL, 16);
        if (!c->chunk_left) c->chunk_state = 2;
    }
    return 0;
}

/* Take what has come; `closed`: nothing more will. */
static void take(struct client *c, int closed) {
    if (!c->headed && !take_head(c)) {
        if (closed) end(c, LOST);
        return;
    }
    int over = 0;
    if (c->chunked) {
        over = take_chunks(c);
    } else {
        size_t size = held(&c->in);
        take_body(c, begin(&c->in), size);
        c->in.from = c->in.to;
        c->chunk_left += (int64_t)size;
        over = c->length >= 0 ? c->chunk_left >= c->length : closed;
    }
    if (over > 0) whole(c);
    else if (over < 0) end(c, WRONG);
    else if (closed) end(c, CUT);
    else if (c->leave_at && c->is_stream && c->tokens >= c->leave_at) end(c, LEFT);
}

#endif

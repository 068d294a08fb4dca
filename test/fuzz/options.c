/* options.c - any text as MYALLOC_CONF: every field stays within the range of its row. */
#include "base/options.h"

#include "base/config.h"
#include "fuzz/fuzz.h"

#include <string.h>

static size_t words_in(const char *words)
{
    size_t count = 1;
    for (; *words != '\0'; words++) {
        count += *words == '|';
    }
    return count;
}

static void require_terminated(const char *text)
{
    REQUIRE(strnlen(text, OPTION_TEXT_BYTES) < OPTION_TEXT_BYTES);
}

/* OPTIONS-1 */
static void require_sound(const struct options *options)
{
#define SOUND_NUMBER(key, value, least, most, help)                                                \
    REQUIRE(options->key >= (uint64_t)(least) && options->key <= (most));
#define SOUND_WORD(key, value, words, help) REQUIRE(options->key < words_in(words));
#define SOUND_TEXT(key, help)               require_terminated(options->key);
    OPTIONS(SOUND_NUMBER, SOUND_WORD, SOUND_TEXT)
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char text[4096];
    struct options options = g_options;
    bytes = bytes < sizeof text ? bytes : sizeof text - 1;
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    options_parse(text, &options);
    require_sound(&options);
    return 0;
}

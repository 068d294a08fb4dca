/* left_pages.h - live pages whose processes are gone. */
#ifndef CLI_COMMANDS_LEFT_PAGES_H
#define CLI_COMMANDS_LEFT_PAGES_H

/* Remove the pages of our user that ended processes left, but for those with a sign of life in the
 * last ten minutes, which somebody may still want to see. */
void left_pages_sweep(void);

#endif

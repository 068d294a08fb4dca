/* empty_name.h - the end of a path that mkdtemp or mkstemp fills in: six letters. */
#ifndef TEST_SUPPORT_EMPTY_NAME_H
#define TEST_SUPPORT_EMPTY_NAME_H

#define EMPTY_PAIR "XX"
#define EMPTY_NAME EMPTY_PAIR EMPTY_PAIR EMPTY_PAIR

#endif

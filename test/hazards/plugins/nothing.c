/* nothing.c - a library that does nothing: what every preload costs. */
int nothing_here;

/* auditor.c - the least that LD_AUDIT asks for: the loader then takes another way to each symbol.
 */
unsigned la_version(unsigned version);

unsigned la_version(unsigned version)
{
    return version;
}

/* myalloc_pmr.hpp - a pool of myalloc.h as a std::pmr::memory_resource, for C++17 and later.
 *
 *     myalloc::pool_resource pool;
 *     std::pmr::vector<std::pmr::string> words(&pool);
 *
 * All that is here is inline: a program that uses it is linked with libmyalloc.
 */
#ifndef MYALLOC_PMR_HPP
#define MYALLOC_PMR_HPP

#if __cplusplus < 201703L
#error "myalloc_pmr.hpp needs C++17"
#endif

#include "myalloc.h"

#include <cstddef>
#include <memory_resource>
#include <new>

namespace myalloc
{

/* Owns a pool. As myalloc_pool_create tells of its arguments: blocks of any size, or at most of a
 * fixed one, by any thread, or with MYALLOC_POOL_ONE_THREAD by one at a time. What myalloc.h says
 * of misuse holds: a block freed twice or into another resource ends the program.
 * What cannot be had throws std::bad_alloc, in a pool of a fixed size also what is longer. */
class pool_resource final : public std::pmr::memory_resource
{
  public:
    explicit pool_resource(std::size_t block_bytes = 0, unsigned flags = 0)
        : pool_(myalloc_pool_create(block_bytes, flags))
    {
        if (pool_ == nullptr) {
            throw std::bad_alloc();
        }
    }

    ~pool_resource() override
    {
        myalloc_pool_destroy(pool_);
    }

    pool_resource(const pool_resource &) = delete;
    pool_resource &operator=(const pool_resource &) = delete;

    /* Frees all blocks at once, and keeps the memory: nobody may use one of them any more. */
    void release() noexcept
    {
        myalloc_pool_reset(pool_);
    }

    /* For the functions of myalloc.h. */
    myalloc_pool *pool() const noexcept
    {
        return pool_;
    }

  private:
    void *do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        void *block = myalloc_pool_alloc_aligned(pool_, alignment, bytes);
        if (block == nullptr) {
            throw std::bad_alloc();
        }
        return block;
    }

    void do_deallocate(void *block, std::size_t, std::size_t) override
    {
        myalloc_pool_free(pool_, block);
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        return this == &other;
    }

    myalloc_pool *pool_;
};

} // namespace myalloc

#endif

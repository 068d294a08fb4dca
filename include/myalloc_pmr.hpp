/* myalloc_pmr.hpp - a pool of myalloc.h as a std::pmr::memory_resource, for C++17 and later.
 *
 *     myalloc::pool_resource pool;
 *     std::pmr::vector<std::pmr::string> words(&pool);
 *
 * Everything here is inline; a program that uses it must be linked with libmyalloc.
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

/* Owns a pool. The arguments are those of myalloc_pool_create: blocks of any size, or up to a fixed
 * one, for any thread, or with MYALLOC_POOL_ONE_THREAD for one at a time. Misuse is as described in
 * myalloc.h: a double free, or a free into another resource, ends the program. A failed allocation
 * throws std::bad_alloc, also one longer than the fixed size. */
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

    /* Frees all blocks at once, and keeps the memory: no block may be used any more. */
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

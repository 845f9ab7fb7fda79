//! The one engine configuration, for compiling and for running.

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};
use writ_broker::Limits;

/// Bumped whenever [`configuration`] changes; part of the compile cache's key.
pub(crate) const REVISION: u32 = 1;

/// Guest memory that stays resident in a pool slot between calls, bytes.
///
/// It is cleared with `memset`, which is cheaper than giving pages back and faulting them in anew;
/// beyond it `madvise` is cheaper. `PAGEMAP_SCAN` would find the dirty pages instead, but it can
/// miss one that was swapped out (wasmtime #14357) and needs `/proc` inside the second wall.
const KEEP_RESIDENT: usize = 256 * 1024;

/// Stack of a guest's fiber, bytes; wasm itself may use half of it.
const ASYNC_STACK: usize = 2 * 1024 * 1024;

/// Returns what compiled code depends on.
fn configuration() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true)
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .wasm_tail_call(true)
        .async_stack_size(ASYNC_STACK)
        .max_wasm_stack(ASYNC_STACK / 2)
        .async_stack_zeroing(true);
    config
}

/// Makes the engine of a worker that only compiles.
pub(crate) fn for_compiling() -> wasmtime::Result<Engine> {
    Engine::new(&configuration())
}

/// Makes the engine of a worker that runs guests, with a pool for one call at a time.
///
/// Public for the benchmarks, whose floor is bare wasmtime with the same settings.
pub fn for_running(limits: &Limits) -> wasmtime::Result<Engine> {
    let instances = u32::try_from(limits.instances).unwrap_or(u32::MAX);
    let in_store = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(1)
        .total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .total_stacks(1)
        .max_core_instances_per_component(instances)
        .max_memories_per_component(instances)
        .max_tables_per_component(instances)
        .max_tables_per_module(instances)
        .max_memories_per_module(instances)
        .max_component_instance_size(16 * 1024 * 1024)
        .max_core_instance_size(16 * 1024 * 1024)
        .max_memory_size(in_store(limits.memory).min(1 << 32))
        .table_elements(in_store(limits.table_elements))
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 * 1024)
        .async_stack_keep_resident(64 * 1024);
    let mut config = configuration();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

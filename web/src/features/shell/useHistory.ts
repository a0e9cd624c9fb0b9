import { useStore } from "zustand";
import type { StoreApi } from "zustand";

/** A hook for a store that is not a hook itself, such as the history of zundo. */
export function useStoreWith<T, U>(store: StoreApi<T>, choose: (state: T) => U): U {
  return useStore(store, choose);
}

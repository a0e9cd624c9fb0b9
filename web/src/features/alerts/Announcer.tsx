import { useStore } from "../../store";

/** What a screen reader says in passing. */
export function Announcer() {
  const text = useStore((state) => state.announcement);
  return <div className="unseen" role="status" aria-live="polite">{text}</div>;
}

import { useStore } from "../../store";

/** Something takes a moment. */
export function Busy() {
  const text = useStore((state) => state.busy);
  if (!text) return null;
  return (
    <div className="busy" role="status">
      <span className="spinner" aria-hidden="true" />
      {text}
    </div>
  );
}

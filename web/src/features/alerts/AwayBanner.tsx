import { retryNow } from "../../api/connection";
import { useStore } from "../../store";
import { strings } from "../../strings";

/** The server is away; the page waits for it. */
export function AwayBanner() {
  const away = useStore((state) => state.away);
  const stored = useStore((state) => state.stored);
  if (!away) return null;
  return (
    <div className="away" role="alert">
      <span className="spinner" aria-hidden="true" />
      <span>{stored ? strings.away.text : strings.away.unstored}</span>
      <button type="button" className="button small" onClick={retryNow}>{strings.away.retry}</button>
    </div>
  );
}

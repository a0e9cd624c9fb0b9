import { strings } from "../../strings";

/** The name, with a picture that has a hole. */
export function Wordmark() {
  return (
    <span className="wordmark">
      <svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true" focusable="false">
        <rect x="1.500" y="1.500" width="19" height="19" rx="5" fill="none" stroke="currentColor" strokeWidth="1.800" />
        <path d="M6 13.500c0-4 2.500-7.500 6-7.500 2.600 0 4 1.600 4 3.600 0 2.400-2 2.700-2.600 4.100-.6 1.400-1.500 2.300-3.600 2.300-2.300 0-3.800-1-3.800-2.500z" fill="var(--accent)" />
      </svg>
      <span>{strings.name}</span>
    </span>
  );
}

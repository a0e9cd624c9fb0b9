/** The letter that is written on the key; where the layout has no Latin letters, the one at that place on a US keyboard. */
export function letter(event: Pick<KeyboardEvent, "key" | "code">): string {
  if (event.key.length > 1 || event.key.charCodeAt(0) < 128) return event.key.toLowerCase();
  return /^Key([A-Z])$/.exec(event.code)?.[1]?.toLowerCase() ?? event.key;
}

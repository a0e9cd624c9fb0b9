import { dismiss, useStore } from "../../store";
import { strings } from "../../strings";
import { CloseButton } from "../shell/CloseButton";

/** What went wrong; stays until it is read. */
export function Alerts() {
  const alerts = useStore((state) => state.alerts);
  return (
    <div className="alerts">
      {alerts.map(({ id, text }) => (
        <div key={id} className="alert">
          <p role="alert">{text}</p>
          <CloseButton label={strings.common.dismiss} onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}

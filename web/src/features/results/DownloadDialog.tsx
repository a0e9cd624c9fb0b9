import { RadioGroup, Slider } from "radix-ui";
import { useState } from "react";
import type { FileFormat } from "../../api/types";
import { basePicture, set, useStore } from "../../store";
import { strings } from "../../strings";
import { Modal } from "../dialogs/Modal";
import { download } from "./results";

function Form() {
  const alpha = useStore((state) => basePicture(state)?.alpha ?? false);
  const [format, setFormat] = useState<FileFormat>("png");
  const [quality, setQuality] = useState(92);
  const [busy, setBusy] = useState(false);
  const text = strings.download;
  const save = async () => {
    setBusy(true);
    const done = await download(format, quality);
    setBusy(false);
    if (done) set({ dialog: null });
  };
  const choices = [
    ["png", text.png, text.pngHint], ["jpeg", text.jpeg, alpha ? text.jpegAlpha : text.jpegHint], ["webp", text.webp, text.webpHint],
  ] as const;
  return (
    <>
      <RadioGroup.Root className="cards" aria-label={text.format} value={format} onValueChange={(value) => setFormat(value as FileFormat)}>
        {choices.map(([value, title, hint]) => (
          <RadioGroup.Item key={value} className="card" value={value} aria-label={title} disabled={value === "jpeg" && alpha}>
            <strong>{title}</strong>
            <span className="hint">{hint}</span>
          </RadioGroup.Item>
        ))}
      </RadioGroup.Root>
      {format === "png" ? null : (
        <div className="field">
          <span className="field-label">{text.quality}<output className="value">{quality}</output></span>
          <Slider.Root className="slider" min={1} max={100} step={1} value={[quality]} onValueChange={([value]) => value !== undefined && setQuality(value)}>
            <Slider.Track className="slider-track"><Slider.Range className="slider-range" /></Slider.Track>
            <Slider.Thumb className="slider-thumb" aria-label={text.quality} />
          </Slider.Root>
        </div>
      )}
      <p className="hint" aria-live="polite">{text.outside(format === "png")}</p>
      <p className="hint">{text.disclosure}</p>
      <div className="dialog-foot">
        <button type="button" className="button primary" disabled={busy} onClick={() => void save()}>{busy ? text.saving : text.save}</button>
      </div>
    </>
  );
}

export function DownloadDialog() {
  return <Modal name="download" title={strings.download.title} text={strings.download.text}><Form /></Modal>;
}

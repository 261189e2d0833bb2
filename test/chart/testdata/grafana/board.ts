// Board is the type of the chart's dashboard. It is put together from the types of
// Grafana's SDK, which leave open what plugins add to a panel: here each kind of
// panel has the options of its plugin, and its queries are those of Prometheus.
import type * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import type * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import type * as stat from "@grafana/grafana-foundation-sdk/stat";
import type * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

// Plain is a type as JSON has it: with the values of enums, and without what only
// marks a type of the SDK.
type Plain<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends (infer Item)[]
      ? Plain<Item>[]
      : T extends object
        ? { [Key in keyof T as Key extends `_${string}` ? never : Key]: Plain<T[Key]> }
        : T;

// Some has no field that must be there, since Grafana has a default for each.
type Some<T> = T extends (infer Item)[] ? Item[] : T extends object ? { [Key in keyof T]?: Some<T[Key]> } : T;

type PanelOf<Type, Options, Custom> = Omit<Plain<dashboard.Panel>, "type" | "targets" | "options" | "fieldConfig"> & {
  type: Type;
  targets: Plain<prometheus.Dataquery>[];
  options: Some<Plain<Options>>;
  fieldConfig: Omit<Plain<dashboard.FieldConfigSource>, "defaults"> & {
    defaults: Omit<Plain<dashboard.FieldConfig>, "custom"> & { custom?: Some<Plain<Custom>> };
  };
};

export type Board = Omit<Plain<dashboard.Dashboard>, "panels"> & {
  panels: (
    | (Omit<Plain<dashboard.RowPanel>, "panels"> & { panels: [] })
    | PanelOf<"stat", stat.Options, never>
    | PanelOf<"timeseries", timeseries.Options, timeseries.FieldConfig>
  )[];
};

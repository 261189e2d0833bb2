{{/*
The arguments of the controller, one a line, as a YAML list. A value that is
null or empty gives no argument, so that the controller's own defaults apply.
*/}}
{{- define "ewc.args" -}}
{{- range list "general" "metrics" "election" "readiness" "linkerd" }}
{{- range include (printf "ewc.%sFlags" .) $ | fromJsonArray }}
{{- $value := last . }}
{{- if kindIs "float64" $value }}{{ $value = include "ewc.number" $value }}{{ end }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
- {{ printf "--%s=%s" (first .) $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* A number as people write it: 0.5, 100, and 1000000 instead of 1e+06. */}}
{{- define "ewc.number" -}}
{{- if eq . (floor .) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "ewc.generalFlags" -}}
{{- toJson (list
  (list "namespaces" (join "," .Values.namespaces))
  (list "managed-by" .Values.managedBy)
  (list "max-endpoints-per-slice" .Values.maxEndpointsPerSlice)
  (list "workers" .Values.workers)
  (list "second-family" .Values.secondFamily)
  (list "zone-from-cidr" (join "," .Values.zoneFromCIDR))
  (list "kube-api-qps" .Values.kubeAPI.qps)
  (list "kube-api-burst" .Values.kubeAPI.burst)
  (list "log-format" .Values.log.format)
  (list "v" .Values.log.verbosity)
  (list "health-bind-address" (printf ":%v" .Values.health.port)))
}}
{{- end }}

{{- define "ewc.metricsFlags" -}}
{{- $flags := list
  (list "metrics-bind-address" (printf ":%v" .Values.metrics.port))
  (list "metrics-secure" (toString .Values.metrics.secure))
}}
{{- if and .Values.metrics.secure .Values.metrics.tlsSecretName }}
{{- $flags = concat $flags (list
  (list "metrics-tls-cert-file" "/etc/metrics-tls/tls.crt")
  (list "metrics-tls-key-file" "/etc/metrics-tls/tls.key"))
}}
{{- end }}
{{- if .Values.pprof }}
{{- $flags = append $flags (list "pprof" "true") }}
{{- end }}
{{- toJson $flags }}
{{- end }}

{{- define "ewc.electionFlags" -}}
{{- $flags := list (list "leader-elect" (toString .Values.leaderElection.enabled)) }}
{{- if .Values.leaderElection.enabled }}
{{- $flags = concat $flags (list
  (list "leader-elect-lease-name" (include "ewc.leaseName" .))
  (list "leader-elect-lease-namespace" .Release.Namespace)
  (list "leader-elect-lease-duration" .Values.leaderElection.leaseDuration)
  (list "leader-elect-renew-deadline" .Values.leaderElection.renewDeadline)
  (list "leader-elect-retry-period" .Values.leaderElection.retryPeriod))
}}
{{- end }}
{{- toJson $flags }}
{{- end }}

{{- define "ewc.readinessFlags" -}}
{{- $flags := list (list "readiness" (toString .Values.readiness.enabled)) }}
{{- if .Values.readiness.enabled }}
{{- $flags = concat $flags (list
  (list "probe-memory-limit" .Values.readiness.probeMemoryLimit)
  (list "probe-allow-cidr" (join "," .Values.readiness.probeAllowCIDRs))
  (list "probe-deny-cidr" (join "," .Values.readiness.probeDenyCIDRs))
  (list "probe-cluster-network-cidr" (join "," .Values.readiness.clusterNetworkCIDRs))
  (list "probe-allow-cluster-networks" (ternary "true" "" .Values.readiness.probeAllowClusterNetworks))
  (list "probe-allow-host" (ternary "true" "" .Values.readiness.probeAllowHost))
  (list "hold-maximum" .Values.readiness.holdMaximum)
  (list "probe-time-refresh" .Values.readiness.probeTimeRefresh)
  (list "delete-expired" (ternary "true" "" .Values.readiness.deleteExpired)))
}}
{{- end }}
{{- toJson $flags }}
{{- end }}

{{- define "ewc.linkerdFlags" -}}
{{- $flags := list }}
{{- if .Values.linkerd.takeOver }}
{{- $flags = list
  (list "take-over-lease" (printf "%s/%s" .Values.linkerd.namespace .Values.linkerd.lease))
  (list "take-over-mode" .Values.linkerd.mode)
}}
{{- end }}
{{- toJson $flags }}
{{- end }}

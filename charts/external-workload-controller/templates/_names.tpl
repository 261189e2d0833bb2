{{/* The chart's name, short enough for a label. */}}
{{- define "ewc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the release's objects. 52 characters leave room for suffixes. */}}
{{- define "ewc.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "ewc.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "ewc.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The name of cluster-wide objects, which two releases must not share. */}}
{{- define "ewc.clusterName" -}}
{{- if eq .Release.Namespace (include "ewc.fullname" .) }}
{{- include "ewc.fullname" . }}
{{- else }}
{{- printf "%s-%s" .Release.Namespace (include "ewc.fullname" .) }}
{{- end }}
{{- end }}

{{/*
The name of an admission policy of this release, from the context and the name
in its file: validate.external-workload.io becomes
validate.RELEASE.external-workload.io.
*/}}
{{- define "ewc.policyName" -}}
{{- $parts := splitn "." 2 (last .) }}
{{- printf "%s.%s.%s" $parts._0 (include "ewc.clusterName" (first .)) $parts._1 }}
{{- end }}

{{- define "ewc.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "ewc.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "ewc.leaseName" -}}
{{- default (include "ewc.fullname" .) .Values.leaderElection.leaseName }}
{{- end }}

{{- define "ewc.identity" -}}
app.kubernetes.io/name: {{ include "ewc.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The immutable labels of the controller's Pods. */}}
{{- define "ewc.selectorLabels" -}}
{{ include "ewc.identity" . }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "ewc.labels" -}}
{{ include "ewc.identity" . }}
app.kubernetes.io/part-of: external-workload
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ewc.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

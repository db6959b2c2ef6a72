{{- define "mtls-shipper.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "mtls-shipper.fullname" -}}
{{- $name := include "mtls-shipper.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mtls-shipper.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mtls-shipper.name" . }}
{{- if not .Values.withoutHelm.enabled }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- end -}}

{{- /* Of objects, not of pods: the version would be part of a template that must not change with it. */ -}}
{{- define "mtls-shipper.labels" -}}
{{ include "mtls-shipper.selectorLabels" . }}
{{- include "mtls-shipper.helmLabels" . }}
{{- end -}}

{{- define "mtls-shipper.helmLabels" -}}
{{- if not .Values.withoutHelm.enabled }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
{{- end -}}

{{- define "mtls-shipper.directoryName" -}}
{{ include "mtls-shipper.fullname" . }}-directory
{{- end -}}

{{- define "mtls-shipper.directoryNamespace" -}}
{{- .Values.directory.namespace.name | default (printf "%s-directory" .Release.Namespace) -}}
{{- end -}}

{{- define "mtls-shipper.directoryConfigMapName" -}}
{{ include "mtls-shipper.directoryName" . }}{{ if .Values.withoutHelm.enabled }}-{{ .Values.withoutHelm.configNumber }}{{ end }}
{{- end -}}

{{- define "mtls-shipper.directoryPort" -}}
{{- .Values.directory.config.server.http_listen_port | int -}}
{{- end -}}

{{- define "mtls-shipper.directoryUrl" -}}
{{- $scheme := ternary "https" "http" (not (empty .Values.directory.config.directory.cert_file)) -}}
{{- $host := printf "%s.%s.svc" (include "mtls-shipper.directoryName" .) (include "mtls-shipper.directoryNamespace" .) -}}
{{- printf "%s://%s:%s" $scheme $host (include "mtls-shipper.directoryPort" .) -}}
{{- end -}}

{{- define "mtls-shipper.directorySelectorLabels" -}}
app.kubernetes.io/name: {{ include "mtls-shipper.name" . }}-directory
{{- if not .Values.withoutHelm.enabled }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- end -}}

{{- define "mtls-shipper.directoryLabels" -}}
{{ include "mtls-shipper.directorySelectorLabels" . }}
{{- include "mtls-shipper.helmLabels" . }}
{{- end -}}

{{- define "mtls-shipper.image" -}}
{{- with .Values.image -}}
image: {{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- with .pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "mtls-shipper.affinity" -}}
{{- if .Values.affinity -}}
affinity:
  {{- toYaml .Values.affinity | nindent 2 }}
{{- else -}}
{{- include "mtls-shipper.architectures" . -}}
{{- end -}}
{{- end -}}

{{- define "mtls-shipper.architectures" -}}
{{- if .Values.image.architectures -}}
# What the image is built for: on any other node it would crash.
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - key: kubernetes.io/arch
              operator: In
              values: [{{ .Values.image.architectures | join ", " }}]
{{- end -}}
{{- end -}}

{{- define "mtls-shipper.env" -}}
env:
  # Whose pods are asked for.
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  # The address of all pods of the host network, so that of none of them alone.
  - name: NODE_IP
    valueFrom:
      fieldRef:
        fieldPath: status.hostIP
  {{- if .Values.directory.enabled }}
  # The configuration has `peers.url: ${PEERS_URL:-}`.
  - name: PEERS_URL
    value: {{ include "mtls-shipper.directoryUrl" . }}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What the containers of `helm test` have in common with each other, and with the agent's. */ -}}
{{- define "mtls-shipper.testContainer" -}}
{{ include "mtls-shipper.image" . }}
{{ include "mtls-shipper.env" . }}
securityContext:
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  requests:
    cpu: 50m
    memory: 96Mi
    ephemeral-storage: 16Mi
  limits:
    memory: 192Mi
    ephemeral-storage: 16Mi
volumeMounts:
  - name: config
    mountPath: /etc/shipper
    readOnly: true
  - name: state
    mountPath: /var/lib/shipper
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "mtls-shipper.serviceAccountName" -}}
{{- with .Values.serviceAccount -}}
{{- .name | default (ternary (include "mtls-shipper.fullname" $) "default" .create) -}}
{{- end -}}
{{- end -}}

{{- define "mtls-shipper.configMapName" -}}
{{ include "mtls-shipper.fullname" . }}{{ if .Values.withoutHelm.enabled }}-{{ .Values.withoutHelm.configNumber }}{{ end }}
{{- end -}}

{{- define "mtls-shipper.priorityClassName" -}}
{{- .Values.priorityClassName | default (ternary (include "mtls-shipper.fullname" .) "" .Values.priorityClass.create) -}}
{{- end -}}

{{- define "mtls-shipper.port" -}}
{{- .Values.config.server.http_listen_port | int -}}
{{- end -}}

{{- /* On the node and in the container: where the kubelet keeps the logs, and the agent looks for them. */ -}}
{{- define "mtls-shipper.podLogs" -}}
{{- dig "pod_logs" "root" "/var/log/pods" (first .Values.config.scrape_configs) -}}
{{- end -}}

{{- /* Not empty if the agent asks the Kubernetes API. */ -}}
{{- define "mtls-shipper.asksKubernetes" -}}
{{- range .Values.config.scrape_configs }}{{ if .kubernetes }}true{{ end }}{{ end -}}
{{- end -}}

{{- /* Its ephemeral storage: the state volume at its limit (192Mi), if it is one, and the container's own log. */ -}}
{{- define "mtls-shipper.ephemeralStorage" -}}
{{- (.Values.resources.requests | default dict) | dig "ephemeral-storage" (ternary "64Mi" "256Mi" .Values.state.onNode) -}}
{{- end -}}

{{- /* An object of a file that is no template, with the chart's labels: (list $ path namespace). */ -}}
{{- define "mtls-shipper.object" -}}
{{- $root := index . 0 -}}
{{- $object := $root.Files.Get (index . 1) | fromYaml -}}
{{- $labels := include "mtls-shipper.labels" $root | fromYaml -}}
{{- toYaml (merge (dict "metadata" (dict "namespace" (index . 2) "labels" $labels)) $object) -}}
{{- end -}}

{{- /* The groups of the alert rules, which name the namespaces and the DaemonSet. */ -}}
{{- define "mtls-shipper.ruleGroups" -}}
{{- $text := .Files.Get "files/prometheus/rules.yaml" -}}
{{- $text = $text | replace `namespace="mtls-shipper"` (printf `namespace="%s"` .Release.Namespace) -}}
{{- $text = $text | replace `namespace="mtls-shipper-directory"` (printf `namespace="%s"` (include "mtls-shipper.directoryNamespace" .)) -}}
{{- $text = $text | replace `daemonset="mtls-shipper"` (printf `daemonset="%s"` (include "mtls-shipper.fullname" .)) -}}
{{- ($text | fromYaml).spec | toYaml -}}
{{- end -}}

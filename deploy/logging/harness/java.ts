/** Options of Java for a small server on a machine with few cores, which starts faster this way. */
export const JAVA_OPTIONS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
